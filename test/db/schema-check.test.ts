import { describe, expect, it } from 'vitest';
import { schemaProblem } from '#db/schema-check.ts';

const of = (name: string, release: string | null = '0.3.0', needs: string | null = null) => ({ name, release, needs });
const known = ['1.sql', '2.sql'];
const both = known.map((name) => of(name));

describe('a process of release 0.3.0', () => {
  const judge = (applied: ReturnType<typeof of>[]) => schemaProblem({ known, applied, release: '0.3.0' });

  it('works on its own schema, and on one that the next minor release has added to', () => {
    expect(judge(both)).toBeNull();
    expect(judge([...both, of('3.sql', '0.4.2')])).toBeNull();
    expect(judge([...both, of('3.sql', null), of('4.sql', '0.3.9', '0.2.0')])).toBeNull();
  });

  it('refuses a schema that lacks something, and says what to do', () => {
    expect(judge([of('1.sql')])).toBe(
      'The schema of the database lacks 2.sql, which Millrace 0.3.0 needs. Run "millrace migrate" of this release first.',
    );
    expect(judge([])).toContain('lacks 1.sql, 2.sql,');
  });

  it('refuses a schema from which something was taken away that it uses', () => {
    expect(judge([...both, of('3.sql', '0.4.0', '0.4.0')])).toBe(
      'The schema of the database has 3.sql, with which only Millrace 0.4.0 and later can work; this is 0.3.0. Start a later release.',
    );
  });

  it('refuses a schema of a release that is two minors ahead, or of another major', () => {
    expect(judge([...both, of('3.sql', '0.5.0')])).toContain(
      'that of Millrace 0.5.0 (3.sql); this is 0.3.0, more than one minor',
    );
    expect(judge([...both, of('3.sql', '1.0.0')])).toContain('that of Millrace 1.0.0');
  });
});

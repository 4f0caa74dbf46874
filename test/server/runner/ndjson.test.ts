import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonLine } from '#server/runner/sql/ndjson.ts';

describe('a line of NDJSON', () => {
  it('gives each member as it is written, texts without their quotes', () => {
    const members = fc.dictionary(fc.string(), fc.jsonValue(), { size: 'max', maxKeys: 20 });
    fc.assert(
      fc.property(members, (object) => {
        const expected = Object.entries(object).map(([key, value]) => [
          key,
          value === null ? null : typeof value === 'string' ? value : JSON.stringify(value),
        ]);
        expect([...readJsonLine(JSON.stringify(object), 1)]).toEqual(expected);
      }),
    );
  });

  it('may hold texts of any length, with quotes and backslashes in them', () => {
    const long = 'x\\"'.repeat(7_000_000);
    const members = readJsonLine(JSON.stringify({ a: long, b: [long], c: 1 }), 1);
    expect(members.get('a') === long).toBe(true);
    expect(members.get('b')).toHaveLength(JSON.stringify([long]).length);
    expect(members.get('c')).toBe('1');
  });
});

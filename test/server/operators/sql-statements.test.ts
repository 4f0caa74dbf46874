import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindStatements } from '#server/operators/sql-statements.ts';

const texts = (sql: string) => bindStatements(sql, []).map(({ text }) => text);

describe('statements of an SQL text', () => {
  it('are parted at semicolons', () => {
    expect(texts('select 1; select 2;\n\n;;  -- nothing\n')).toEqual(['select 1', 'select 2']);
  });

  it.each([
    [`select 'a;b', 'it''s;'`],
    [`select e'\\';', "odd;name"`],
    [`select $$ a;b $$, $x$ $$;$$ $x$`],
    [`select /* a; /* b; */ c; */ 1`],
    [`select 1 -- a;b`],
    [`create function f() returns int begin atomic select case when true then 1 end; select 2; end`],
  ])('stay whole: %s', (sql) => {
    expect(texts(`${sql}\n; select 2`)).toEqual([sql.trim(), 'select 2']);
  });

  it('get parameters by name, each once, and leave casts, texts and comments alone', () => {
    const sql = `select :day::date, ':day', x::text, :n, :day /* :no */ from t where a = :n`;
    expect(bindStatements(sql, { day: '2026-01-01', n: 5 })).toEqual([
      {
        text: `select $1::date, ':day', x::text, $2, $1 /* :no */ from t where a = $2`,
        values: ['2026-01-01', 5],
      },
    ]);
  });

  it('get as many parameters by number as they name', () => {
    expect(bindStatements(`select $1; select $2, '$3'; select 1`, ['a', 'b'])).toEqual([
      { text: 'select $1', values: ['a'] },
      { text: `select $2, '$3'`, values: ['a', 'b'] },
      { text: 'select 1', values: [] },
    ]);
  });

  it('say which parameter is missing', () => {
    expect(() => bindStatements('select :x', { y: 1 })).toThrow("no parameter 'x'");
    expect(() => bindStatements('select $2', [1])).toThrow('no parameter $2, only 1');
  });

  it('lose nothing, whatever is written in them', () => {
    const piece = fc.constantFrom(`'a;b'`, `"c;d"`, '$$;$$', '--;\n', '/*;*/', 'select', '1', ' ', 'é', '::', "e'\\''");
    fc.assert(
      fc.property(fc.array(fc.array(piece, { minLength: 1 }), { minLength: 1 }), (statements) => {
        // A word between two strings keeps them apart
        const wanted = statements.map((pieces) => `x ${pieces.join(' ')}`.trim());
        expect(texts(wanted.map((text) => `${text}\n;`).join(''))).toEqual(wanted);
      }),
    );
  });
});

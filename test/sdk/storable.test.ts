import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionIssues } from '#sdk/connections.ts';
import { findUnstorable } from '#sdk/storable.ts';

const NUL = 'A NUL character cannot be stored.';
const HALF = 'Half of a character (a surrogate alone) cannot be stored.';

describe('what cannot be stored', () => {
  it.each([
    ['a NUL', 'a\0b', [], NUL],
    ['half of a pair', 'x\ud83d', [], HALF],
    ['the other half, deep inside', { a: [1, { b: '\ude00' }] }, ['a', '1', 'b'], HALF],
    ['a name', { a: { 'b\0': 1 } }, ['a'], `In a name: ${NUL}`],
  ])('is found: %s', (_what, value, path, message) => {
    expect(findUnstorable(value)).toEqual({ path, message });
  });

  it.each([[null], [1], ['\\u0000'], ['😀'], [{ '\\ud83d': ['\u0001', true] }]])('is none of %j', (value) => {
    expect(findUnstorable(value)).toBeNull();
  });

  it('is not found in any whole text, however deep it lies', () => {
    const whole = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), whole, (value, text) => {
        const hasNul = /(?<!\\)(?:\\\\)*\\u0000/.test(JSON.stringify(value));
        expect([value, findUnstorable({ text, value }) === null]).toEqual([value, !hasNul]);
      }),
    );
    let deep: unknown = 'a';
    for (let i = 0; i < 20_000; i++) deep = [deep];
    expect(findUnstorable(deep)).toBeNull();
  });

  it('is told of a connection by its field, and a backslash before u0000 is a text as any other', () => {
    const fields = { kind: 'generic', description: null, host: null, port: null, schema: null, login: null } as const;
    expect(
      connectionIssues({ ...fields, password: '\\u0000', extra: { a: '\\u0000' }, secretExtra: { b: ['\ud83d'] } }),
    ).toEqual([{ field: 'secretExtra', message: HALF }]);
  });
});

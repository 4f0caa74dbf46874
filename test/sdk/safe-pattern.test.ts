import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '#sdk/safe-pattern.ts';

const test = (pattern: string, text: string): boolean => {
  const compiled = compilePattern(pattern);
  if (typeof compiled === 'string') throw new Error(`${pattern}: ${compiled}`);
  return compiled.test(text);
};

/** Patterns over a few letters, so that texts often match. */
const atom = fc.constantFrom(
  'a',
  'b',
  '0',
  ' ',
  '.',
  '\\d',
  '\\w',
  '\\s',
  '\\W',
  '[ab]',
  '[^a]',
  '[0-5b-c]',
  '[\\d-]',
  '\\.',
  '^',
  '$',
  '\\b',
  '\\B',
);
const repeat = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?');
const isPlace = (text: string) => /^(\^|\$|\\b|\\B)$/.test(text);
const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(atom, repeat).map(([one, times]) => (isPlace(one) ? one : one + times)),
    fc.tuple(tie('pattern'), repeat).map(([inner, times]) => `(${inner})${times}`),
  ),
  pattern: fc
    .array(fc.array(tie('part'), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((alternatives) => alternatives.map((parts) => parts.join('')).join('|')),
}));
const short = pattern.filter((source) => source.length <= 60);
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '0', '7', ' ', '.', '-', '\n', 'A'), maxLength: 12 });

describe('a pattern', () => {
  it('matches exactly what the language of JavaScript says', () => {
    fc.assert(
      fc.property(short, text, (source, input) => {
        expect([source, input, test(source, input)]).toEqual([source, input, new RegExp(source).test(input)]);
      }),
      { numRuns: 3_000 },
    );
  });

  it('ignores case after (?i), as JavaScript does', () => {
    fc.assert(
      fc.property(short, text, (source, input) => {
        expect([source, input, test(`(?i)${source}`, input)]).toEqual([
          source,
          input,
          new RegExp(source, 'i').test(input),
        ]);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(['(a+)+$', '^(a|a)*$', '(.*a){12}$', '(a*)*b', '(?i)(a|aa)+$'])(
    '%s takes no time that grows beyond bounds',
    (source) => {
      // Backtracking would need more steps than there are atoms: that it ends at all is the test
      expect(test(source, `${'a'.repeat(3_990)}!`)).toBe(false);
    },
  );

  it.each([
    ['(a', `There is a '(' without its ')'.`],
    ['a)', `There is a ')' without its '('.`],
    ['[a', `There is a '[' without its ']'.`],
    ['*a', `There is nothing before '*' that it could repeat.`],
    ['a**', `'*' follows a repetition.`],
    ['(a)\\1', 'References to groups are not supported.'],
    ['(?=a)', 'Groups that begin with (? are not supported, but for (?: … ), and (?i) at the begin.'],
    ['[z-a]', 'The range z-a runs backwards.'],
    ['a{300}', '{300}: counts go up to 200, the lower one first.'],
    ['((a{100}){100}){100}', 'It is too large. Use smaller counts.'],
    ['(((((){200}){200}){200}){200}){200}', 'It is too large. Use smaller counts.'],
    ['((((){0,200}){200}){200}){200}', 'It is too large. Use smaller counts.'],
    ['\\q', '\\q is not known.'],
    ['a'.repeat(501), 'It has 501 characters; at most 500 are allowed.'],
  ])('%s is refused with what is wrong', (source, message) => {
    expect(compilePattern(source)).toBe(message);
  });
});

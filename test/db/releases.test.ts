import { expect, it } from 'vitest';
import { isBefore, isTooFarApart, minorsApart } from '#db/releases.ts';

it.each([
  ['0.3.1', '0.3.9', 0, false],
  ['0.3.1', '0.4.0', 1, false],
  ['0.5.0-beta.1', '0.3.9', 2, true],
  ['1.0.0', '0.9.0', Infinity, true],
  ['test', '0.9.0', null, false],
])('%s and %s are %s minors apart', (a, b, apart, tooFar) => {
  expect([minorsApart(a, b), minorsApart(b, a)]).toEqual([apart, apart]);
  expect(isTooFarApart(a, b)).toBe(tooFar);
});

it('orders releases by their numbers', () => {
  const ordered = ['0.1.9', '0.2.0', '0.10.0', '1.0.0'];
  for (const [i, a] of ordered.entries())
    for (const [j, b] of ordered.entries()) expect([a, b, isBefore(a, b)]).toEqual([a, b, i < j]);
  expect(isBefore('mine', '1.0.0') || isBefore('1.0.0', 'mine')).toBe(false);
});

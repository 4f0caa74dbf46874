import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOLD_SECONDS } from '#db/queries/lease-breaker.ts';
import { isMassExpiry, judgeSweep } from '#server/scheduler/mass-expiry.ts';

const counts = (live: number, expired: number, silent = expired) => ({ live, expired, silent });

describe('isMassExpiry', () => {
  it.each([
    ['nothing is silent', counts(100, 0), false],
    ['all of a few', counts(10, 10), false],
    ['all of a few more', counts(11, 11), true],
    ['a fifth of many', counts(1000, 200), false],
    ['more than a fifth of many', counts(1000, 201), true],
    ['the first of many that fell silent together', counts(1000, 1, 201), true],
    ['many that may still beat', counts(1000, 0, 900), false],
  ])('%s', (_what, seen, expected) => {
    expect(isMassExpiry(seen)).toBe(expected);
  });
});

describe('judgeSweep', () => {
  it('ends what has run out, unless too many did and not for long', () => {
    expect(judgeSweep(counts(100, 0), null)).toBe('nothing');
    expect(judgeSweep(counts(100, 3), null)).toBe('end');
    expect(judgeSweep(counts(100, 90), 0)).toBe('hold');
    expect(judgeSweep(counts(100, 90), HOLD_SECONDS - 1)).toBe('hold');
    expect(judgeSweep(counts(100, 90), HOLD_SECONDS)).toBe('end');
  });

  it('never holds for longer than the limit, nor when nobody said that it is held', () => {
    const n = fc.nat(10_000);
    fc.assert(
      fc.property(n, n, n, fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })), (live, expired, silent, held) => {
        const verdict = judgeSweep({ live, expired, silent }, held);
        if (held === null || held >= HOLD_SECONDS) expect(verdict).toBe(expired > 0 ? 'end' : 'nothing');
        else expect(verdict).toBe(expired > 0 ? 'hold' : 'nothing');
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelaySeconds } from '../../../db/engine/retry-delay.ts';

const DAY = 86_400;
const spec = fc.record({
  retryDelay: fc.double({ min: 0, max: 100_000, noNaN: true }),
  retryBackoff: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 10, noNaN: true })),
  maxRetryDelay: fc.option(fc.double({ min: 0, max: 2 * DAY, noNaN: true })),
});

describe('the delay of a retry', () => {
  it('is the same for every try without backoff', () => {
    const constant = { retryDelay: 30, retryBackoff: 1, maxRetryDelay: null };
    expect([1, 2, 9].map((failedTry) => retryDelaySeconds(constant, failedTry, 'x'))).toEqual([30, 30, 30]);
  });

  it('grows by the factor, stretched by less than two, up to its cap', () => {
    const doubling = { retryDelay: 10, retryBackoff: 2, maxRetryDelay: 100 };
    for (const [failedTry, base] of [
      [1, 10],
      [2, 20],
      [3, 40],
    ] as const) {
      const delay = retryDelaySeconds(doubling, failedTry, 'run.0.-1');
      expect(delay).toBeGreaterThanOrEqual(base);
      expect(delay).toBeLessThan(Math.min(2 * base, 100));
    }
    expect(retryDelaySeconds(doubling, 8, 'run.0.-1')).toBe(100);
  });

  it('differs from task to task, so that what failed together does not come back together', () => {
    const doubling = { retryDelay: 10, retryBackoff: 2, maxRetryDelay: null };
    const delays = Array.from({ length: 100 }, (_, i) => retryDelaySeconds(doubling, 1, `run.${i}.-1`));
    expect(new Set(delays).size).toBe(100);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(mean).toBeGreaterThan(13);
    expect(mean).toBeLessThan(17);
  });

  it('is finite, never negative, never more than its cap or a day, and the same when asked again', () => {
    fc.assert(
      fc.property(spec, fc.integer({ min: 1, max: 1000 }), fc.string(), (retry, failedTry, seed) => {
        const delay = retryDelaySeconds(retry, failedTry, seed);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(Math.min(DAY, retry.maxRetryDelay ?? DAY));
        expect(retryDelaySeconds(retry, failedTry, seed)).toBe(delay);
      }),
    );
  });
});

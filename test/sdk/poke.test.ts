import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterLook, pokeDelay, type Look, type PokeRules } from '#sdk/poke.ts';

const rules = fc.record({
  pokeInterval: fc.double({ min: 0.1, max: 3600, noNaN: true }),
  pokeBackoff: fc.constantFrom(1, 1.5, 2, 100),
  maxWait: fc.double({ min: 0.1, max: 86_400, noNaN: true }),
  timeout: fc.double({ min: 0, max: 604_800, noNaN: true }),
  softFail: fc.boolean(),
  pokeError: fc.constantFrom<PokeRules['pokeError']>('fail', 'ignore', 'skip'),
});
const look = fc.oneof(
  fc.constant<Look>({ found: true, value: 1 }),
  fc.constant<Look>({ found: false, note: 'nothing' }),
  fc.constant<Look>({ failed: 'broken' }),
);
const waited = fc.record({ elapsed: fc.double({ min: 0, max: 700_000, noNaN: true }), pokes: fc.nat(10_000) });

describe('what follows from a look', () => {
  it('is decided in every case, and nothing waits past its timeout', () => {
    fc.assert(
      fc.property(rules, look, waited, (given, seen, so) => {
        const verdict = afterLook(given, seen, so, 'task');
        if ('found' in seen && seen.found) {
          expect(verdict.outcome).toBe('success');
          return;
        }
        const isOver = so.elapsed >= given.timeout;
        const ends = 'failed' in seen && given.pokeError !== 'ignore';
        expect(verdict.outcome === 'wait').toBe(!isOver && !ends);
        if (verdict.outcome === 'wait') {
          expect(verdict.seconds).toBeGreaterThan(0);
          expect(so.elapsed + verdict.seconds).toBeLessThanOrEqual(given.timeout * (1 + 1e-9));
        } else if (verdict.outcome !== 'success') {
          expect(verdict.cause).toBe(isOver ? 'wait_timeout' : 'poke_failed');
          const soft = given.softFail || (!isOver && given.pokeError === 'skip');
          expect(verdict.outcome).toBe(soft ? 'skipped' : 'failed');
          expect(verdict.retryable).toBe(!soft && !isOver);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('comes in equal intervals without a backoff, in growing ones up to a cap with one', () => {
    const at = (pokeBackoff: number, pokes: number) =>
      pokeDelay({ pokeInterval: 10, pokeBackoff, maxWait: 100 }, pokes, 'x');
    expect([0, 1, 50].map((pokes) => at(1, pokes))).toEqual([10, 10, 10]);
    for (const [pokes, grown] of [10, 20, 40, 80, 100, 100].entries()) {
      expect(at(2, pokes)).toBeLessThanOrEqual(grown);
      expect(at(2, pokes)).toBeGreaterThan(grown * 0.79);
      expect(at(2, pokes)).toBe(at(2, pokes));
    }
  });
});

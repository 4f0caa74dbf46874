/**
 * Three servers, two schedulers and four workers on one PostgreSQL, broken in every way while they run tasks of all kinds; then mended, and
 * what they promised is held against the events, the rows, the logs and what the tasks wrote down by themselves. A seed of its own each
 * time: a failure names it, and `npm run chaos -- --seed …` does the same again, or for longer.
 */
import { expect, it } from 'vitest';
import { QUICK_FAULTS } from './chaos/faults.ts';
import { runChaos } from './chaos/run-chaos.ts';

it('keeps its promises whatever breaks', { timeout: 480_000 }, async () => {
  const result = await runChaos({
    seed: Math.floor(Math.random() * 1e6),
    size: { servers: 3, schedulers: 2, workers: 4, slots: 8 },
    runs: 180,
    faults: QUICK_FAULTS,
    brokenMs: 80_000,
    healMs: 240_000,
  });
  console.log(JSON.stringify(result));
  expect(result.instances).toBeGreaterThan(1900);
  expect(Object.keys(result.causes).filter((cause) => !EXPECTED.has(cause))).toEqual([]);
});

/** What faults of the infrastructure may cost, and the failures that the tasks have by themselves. */
const EXPECTED = new Set(['ok', 'exit_code', 'worker_lost', 'lease_expired']);

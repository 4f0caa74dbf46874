/**
 * Three servers, two schedulers and four workers on one PostgreSQL, broken in every way while they run tasks of all kinds; then mended, and
 * what they promised is held against the events, the rows, the logs and what the tasks wrote down by themselves. A seed of its own each
 * time: a failure names it, and `npm run chaos -- --seed …` does the same again, or for longer.
 */
import { expect, it } from 'vitest';
import { faultsOf, isQuick, type FaultName } from './chaos/faults.ts';
import { runChaos, type ChaosResult } from './chaos/run-chaos.ts';

/** What faults of the infrastructure may cost, and the failures that the tasks have by themselves. */
const EXPECTED = new Set(['ok', 'exit_code', 'worker_lost', 'lease_expired']);

async function survive(chaos: {
  broker: 'postgres' | 'redis';
  faults: FaultName[];
  runs: number;
  brokenMs: number;
}): Promise<ChaosResult> {
  const { broker, ...options } = chaos;
  const seed = Math.floor(Math.random() * 1e6);
  const size = { servers: 3, schedulers: 2, workers: 4, slots: 8, broker };
  const result = await runChaos({ seed, size, healMs: 300_000, ...options });
  console.log(JSON.stringify({ seed, ...result }));
  expect(Object.keys(result.causes).filter((cause) => !EXPECTED.has(cause))).toEqual([]);
  return result;
}

it('keeps its promises whatever breaks', { timeout: 600_000 }, async () => {
  // One is stopped for longer than its lease from the beginning; where nobody notices for a minute, `npm run chaos` waits
  const faults = faultsOf('postgres').filter((name) => isQuick(name) || name === 'pauseWorkerBeyondLease');
  const result = await survive({ broker: 'postgres', faults, runs: 180, brokenMs: 80_000 });
  expect(result.instances).toBeGreaterThan(1900);
});

it('keeps them as well when Redis says what is ready, and forgets it', { timeout: 480_000 }, async () => {
  // What is listed more often happens more often
  const faults = [...faultsOf('redis').filter(isQuick), 'wipeRedis', 'killRedis'] as FaultName[];
  const result = await survive({ broker: 'redis', faults, runs: 60, brokenMs: 30_000 });
  expect(result.instances).toBeGreaterThan(600);
});

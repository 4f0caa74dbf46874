/** Rounds of variant (a): a fresh database, a fresh engine in a process that stays, a checked result. */
import pg from 'pg';
import { typeParsers } from '#db/client.ts';
import { dagInput, tasksOf, type ShapeName } from './dag-shapes.ts';
import { measure, type Measured, type Trees } from './measure.ts';
import { quiet } from './rounds.ts';
import type { Bench } from './scenario.ts';
import type { Side } from './side.ts';
import { verifyRuns } from './verify.ts';

export interface EngineRound {
  shape: ShapeName;
  /** Tasks at once. */
  slots: number;
  runs: number;
  warmRuns: number;
  maxActiveTasks?: number;
  watchLoop?: boolean;
  /** One run after the other instead of all at once. */
  inSequence?: boolean;
}

export interface Burst {
  ms: number;
  firstRun: number;
  stallMs: number | null;
  deployMs: number;
}

export interface Sequence {
  ms: number[];
  firstRun: number;
}

export const treesOf = (bench: Bench, sides: readonly Pick<Side, 'pid'>[]): Trees => ({
  node: sides.map(({ pid }) => pid),
  database: [bench.postgres.pid],
  admin: bench.postgres.admin,
  cores: bench.machine.cores,
});

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, types: typeParsers, application_name: 'bench' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** One round in the given database. Throws when the check fails. */
export async function engineRound<R extends Burst | Sequence>(
  bench: Bench,
  side: Side,
  url: string,
  { shape, slots, runs, warmRuns, maxActiveTasks, watchLoop, inSequence }: EngineRound,
): Promise<Measured<R>> {
  await side.call('open', { url, slots, role: 'all' });
  try {
    const input = dagInput(shape, 'no-op', maxActiveTasks);
    const { dagId, ms: deployMs } = await side.call<{ dagId: number; ms: number }>('deploy', input);
    const work = { dagId, tasks: tasksOf(shape), watchLoop };
    const method = inSequence ? 'sequence' : 'burst';
    if (warmRuns > 0) await side.call(method, { ...work, runs: warmRuns });
    await quiet(bench);
    const measured = await measure(treesOf(bench, [side]), () => side.call<R>(method, { ...work, runs }));
    await withClient(url, (client) => verifyRuns(client, measured.result.firstRun, runs));
    return { ...measured, result: { ...measured.result, deployMs } };
  } finally {
    await side.call('close');
  }
}

/** The same in a new database. */
export async function freshEngineRound<R extends Burst | Sequence>(
  bench: Bench,
  side: Side,
  round: EngineRound,
): Promise<Measured<R>> {
  const name = `round_${side.pid}`;
  const url = await bench.postgres.create(name);
  try {
    return await engineRound<R>(bench, side, url, round);
  } finally {
    await bench.postgres.drop(name);
  }
}

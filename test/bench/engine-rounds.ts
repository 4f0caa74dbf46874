/** Rounds of the variants in one process: a fresh database, a fresh engine in a process that stays, a checked result. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { typeParsers } from '#db/client.ts';
import { dagFile, dagInput, type DagChoice } from './dag-inputs.ts';
import { tasksOf } from './graphs.ts';
import { measure, type Measured, type Trees } from './measure.ts';
import { quiet } from './rounds.ts';
import type { Bench } from './scenario.ts';
import type { Side } from './side.ts';
import { verifyRuns } from './verify.ts';

export interface EngineRound extends DagChoice {
  /** Tasks at once. */
  slots: number;
  runs: number;
  warmRuns: number;
  watchLoop?: boolean;
  /** One run after the other instead of all at once. */
  inSequence?: boolean;
  /** A mutation for each run instead of one call for all. */
  eachByMutation?: boolean;
  /** Redis is the broker: of a service only. */
  redis?: boolean;
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

/** Where the supervisor of this flavour's tasks works; null: it has none. */
export const homeOf = (bench: Bench, { flavour }: Pick<DagChoice, 'flavour'>): string | null =>
  flavour === 'call' ? null : mkdtempSync(join(bench.postgres.dataDir, 'worker-'));

export const deployTo = (side: Side, choice: DagChoice): Promise<{ dagId: number; ms: number }> =>
  choice.flavour === 'typescript'
    ? side.call('deployFile', { path: dagFile(choice.shape), name: `bench_${choice.shape}` })
    : side.call('deploy', dagInput(choice));

/** One round in the given database. Throws when the check fails. */
export async function engineRound<R extends Burst | Sequence>(
  bench: Bench,
  side: Side,
  url: string,
  round: EngineRound,
): Promise<Measured<R>> {
  const { shape, slots, runs, warmRuns, watchLoop, inSequence } = round;
  await side.call('open', { url, slots, role: 'all', home: homeOf(bench, round) });
  try {
    const { dagId, ms: deployMs } = await deployTo(side, round);
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

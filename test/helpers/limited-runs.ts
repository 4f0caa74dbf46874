/** Words for specifications of limits: runs are started, claimed and ended by hand, and what stands is told by task id. */
import type { DagSpec } from '../../sdk/dag-spec.ts';
import type { Dispatch, Json, ReportOutcome } from '../../sdk/protocol.ts';
import type { TestEngine } from './engine.ts';
import { reportOf, runStateOf, statesOf } from './engine.ts';
import type { TestDatabase } from './database.ts';
import { waitFor } from './wait-for.ts';

export type LimitedRuns = ReturnType<typeof createLimitedRuns>;

export function createLimitedRuns(database: TestDatabase, engine: TestEngine, workerId: number) {
  const setPool = (name: string, slots: number, includeDeferred = false) =>
    database.pool.query(
      `insert into pool (name, slots, include_deferred) values ($1, $2, $3)
       on conflict (name) do update set slots = excluded.slots, include_deferred = excluded.include_deferred`,
      [name, slots, includeDeferred],
    );
  const start = async (spec: DagSpec, ...confs: ({ [key: string]: Json } | null)[]): Promise<number[]> => {
    const { dagId } = await engine.deploy(spec);
    const runs = confs.length > 0 ? confs : [null];
    // One by one, as people do: an earlier run has the smaller id
    const runIds: number[] = [];
    for (const conf of runs) runIds.push((await engine.createRuns([{ dagId, kind: 'manual', conf }]))[0]!.runId);
    return runIds;
  };
  const claim = (limit = 100): Promise<Dispatch[]> => engine.claim({ workerId, queues: ['default'], limit });
  const end = (dispatches: Dispatch[], outcome: ReportOutcome = 'success') =>
    engine.report({ workerId, reports: dispatches.map((dispatch) => reportOf(dispatch, outcome)) });
  /** The states of the run's tasks, once they are so. What others let go of reaches a run in a flush of its own. */
  const becomes = async (runId: number, states: Record<string, string>): Promise<void> => {
    const wanted = JSON.stringify(states);
    let seen: Record<string, string> = {};
    await waitFor(async () => JSON.stringify((seen = await statesOf(database, runId))) === wanted, {
      what: `the run to be ${wanted}`,
    }).catch((cause: unknown) => {
      throw new Error(`Run ${runId} should be ${wanted}, is ${JSON.stringify(seen)}`, { cause });
    });
  };
  const runBecomes = async (runId: number, state: string): Promise<void> => {
    await waitFor(async () => (await runStateOf(database, runId)) === state, { what: `run ${runId} to be ${state}` });
  };
  /** Works all that can be claimed to its end, again and again, and says in which order it started. */
  const drain = async (runIds: number[], limit = 100): Promise<string[]> => {
    const order: string[] = [];
    const ended = async () => {
      const states = await Promise.all(runIds.map((runId) => runStateOf(database, runId)));
      return states.every((state) => state !== 'queued' && state !== 'running');
    };
    await waitFor(
      async () => {
        const dispatches = await claim(limit);
        order.push(...dispatches.map(({ run, taskId }) => `${runIds.indexOf(Number(run.runId))}.${taskId}`));
        if (dispatches.length > 0) await end(dispatches);
        return dispatches.length === 0 && (await ended());
      },
      { what: 'all runs to end' },
    );
    return order;
  };
  return { setPool, start, claim, end, becomes, runBecomes, drain };
}

export const names = (dispatches: Dispatch[]): string[] => dispatches.map(({ taskId }) => taskId).sort();

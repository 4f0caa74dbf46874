/**
 * A model that knows what the engine must answer, and the play of one scenario against two engines (as two servers would be) with
 * several workers. Naive on purpose: it remembers dispatches and nothing else. The checker knows the rest.
 */
import fc from 'fast-check';
import type { DagSpec } from '../../sdk/dag-spec.ts';
import type { Dispatch, ReportAnswer, ReportOutcome } from '../../sdk/protocol.ts';
import { checkRuns, type Answered } from './check-runs.ts';
import type { TestDatabase } from './database.ts';
import { reportOf, type TestEngine } from './engine.ts';

export interface KnownDispatch {
  dispatch: Dispatch;
  /** Index of the worker that got it. */
  worker: number;
  /** `gone`: taken away by somebody else than its runner. */
  status: 'live' | 'ended' | 'gone';
  outcome?: ReportOutcome;
  /** Waits without a worker; its dispatch stays live. */
  deferred?: boolean;
}

export interface Model {
  runs: number;
  known: KnownDispatch[];
}

export interface Real {
  database: TestDatabase;
  engines: TestEngine[];
  /** Ids of workers that are named `${queue}-${index}`. */
  workers: number[];
  /** The second one is the system's: its tasks can be deferred. */
  queues: string[];
  queue: string;
  dagId: number;
  spec: DagSpec;
  runIds: number[];
  answers: Answered[];
}

export type EngineCommand = fc.AsyncCommand<Model, Real>;

export const live = (model: Model): KnownDispatch[] => model.known.filter((known) => known.status === 'live');

/** Takes in what an engine handed out: nothing twice, and no try beside a live one of the same task. */
export function receive(model: Model, dispatches: Dispatch[], worker: number): void {
  for (const dispatch of dispatches) {
    const rival = model.known.find(
      ({ status, dispatch: other }) =>
        other.dispatchId === dispatch.dispatchId ||
        (status === 'live' && other.run.runId === dispatch.run.runId && other.taskId === dispatch.taskId),
    );
    if (rival) throw new Error(`${dispatch.dispatchId} was handed out beside ${rival.dispatch.dispatchId}`);
    model.known.push({ dispatch, worker, status: 'live' });
  }
}

/** They leave nothing on record under their dispatch. */
const PUTS_BACK: ReadonlySet<ReportOutcome> = new Set(['released', 'rescheduled']);

/** What a report of this dispatch must be answered. */
function dueAnswer(known: KnownDispatch, outcome: ReportOutcome): ReportAnswer {
  // Nobody runs it whom it could be taken from
  if (known.status === 'live' && known.deferred && PUTS_BACK.has(outcome)) return 'FENCED';
  if (known.status === 'live') return 'ACCEPTED';
  return known.status === 'ended' && known.outcome === outcome && !PUTS_BACK.has(outcome) ? 'DUPLICATE' : 'FENCED';
}

/** Compares the answers to reports of one dispatch that were sent at once, in any order. */
export function expectAnswers(real: Real, known: KnownDispatch, outcome: ReportOutcome, answers: ReportAnswer[]): void {
  for (const answer of answers) real.answers.push({ dispatchId: known.dispatch.dispatchId, outcome, answer });
  const due = answers.map(() => {
    const answer = dueAnswer(known, outcome);
    if (answer === 'ACCEPTED') Object.assign(known, { status: 'ended', outcome });
    return answer;
  });
  if ([...answers].sort().join() !== due.sort().join())
    throw new Error(
      `${outcome} of ${known.dispatch.dispatchId} was answered ${answers.join()}, should be ${due.join()}`,
    );
}

export function goneWhere(model: Model, test: (known: KnownDispatch) => boolean): void {
  for (const known of live(model)) if (test(known)) known.status = 'gone';
}

/** Ends the leases of these dispatches now, as a minute's silence would. */
export async function runOutLeases(
  { database }: Pick<Real, 'database'>,
  dispatches: Pick<Dispatch, 'dispatchId'>[],
): Promise<void> {
  await database.pool.query(
    `with l as (delete from task_lease where dispatch_id = any($1::uuid[]))
     update task_instance set deadline_at = clock_timestamp() - interval '1 s' where state = 'running' and dispatch_id = any($1::uuid[])`,
    [dispatches.map(({ dispatchId }) => dispatchId.split('.')[3])],
  );
}

/** Half a minute passes over dispatches whose answer was lost, and their worker beats without them. */
export async function missAnswers(
  { database }: Pick<Real, 'database'>,
  dispatches: Pick<Dispatch, 'dispatchId'>[],
): Promise<void> {
  await database.pool.query(
    `with t as (update task_instance set started_at = started_at - interval '30 s', deadline_at = deadline_at - interval '30 s'
       where state = 'running' and dispatch_id = any($1::uuid[]) returning worker_id)
     update worker set last_beat_at = clock_timestamp() where id in (select worker_id from t)`,
    [dispatches.map(({ dispatchId }) => dispatchId.split('.')[3])],
  );
}

/** Rows of trigger_wait go missing, and their tasks' review is due. */
export async function loseAllWaits({ database, runIds }: Pick<Real, 'database' | 'runIds'>): Promise<void> {
  await database.pool.query(
    `with w as (delete from trigger_wait where run_id = any($1::bigint[]) and kind <> 'cancel_child')
     update task_instance set deadline_at = clock_timestamp() - interval '1 s' where run_id = any($1::bigint[]) and state = 'deferred'`,
    [runIds],
  );
}

/** Ends the engines' connections, whatever they are doing. */
export async function breakConnections({ database }: Pick<Real, 'database'>): Promise<void> {
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'millrace engine'`,
  );
}

/** What runs by the rows, and no worker was told of. */
export async function unknownDispatches(model: Model, { database, runIds }: Real): Promise<{ dispatchId: string }[]> {
  const { rows } = await database.pool.query<{ dispatchId: string }>(
    `select concat_ws('.', run_id, task_index, map_index, dispatch_id) as "dispatchId" from task_instance
     where run_id = any($1::bigint[]) and state = 'running'`,
    [runIds],
  );
  const known = new Set(live(model).map(({ dispatch }) => dispatch.dispatchId));
  return rows.filter(({ dispatchId }) => !known.has(dispatchId));
}

/** Makes every retry of these runs due, and says which they are. */
export async function makeRetriesDue(
  { pool }: Pick<TestDatabase, 'pool'>,
  runIds: number[],
): Promise<{ runId: number; taskIndex: number; mapIndex: number }[]> {
  const { rows } = await pool.query<{ run_id: number; task_index: number }>(
    `with t as (update task_timer set due_at = clock_timestamp() - interval '1 s' where run_id = any($1::bigint[]) returning *),
     i as (update task_instance i set deadline_at = t.due_at from t where i.run_id = t.run_id and i.task_index = t.task_index and i.state in ('up_for_retry', 'up_for_reschedule'))
     select run_id, task_index from t`,
    [runIds],
  );
  return rows.map((row) => ({ runId: row.run_id, taskIndex: row.task_index, mapIndex: -1 }));
}

let scenarios = 0;

/** Plays one scenario, then lets everything end: whatever was done, no run stays behind. */
export async function play(
  database: TestDatabase,
  engines: TestEngine[],
  spec: Omit<DagSpec, 'dagId'>,
  commands: Iterable<EngineCommand>,
): Promise<void> {
  const [engine] = engines;
  if (!engine) throw new Error('There is no engine to play on.');
  const queue = `q${++scenarios}`;
  const queues = [queue, `@${queue}`];
  const full = { ...spec, dagId: queue, tasks: spec.tasks.map((task, i) => ({ ...task, queue: queues[i % 2]! })) };
  const { dagId } = await engine.deploy(full);
  const workers = await Promise.all([0, 1, 2].map((i) => engine.worker(`${queue}-${i}`)));
  const created = await engine.createRuns([
    { dagId, kind: 'manual' },
    { dagId, kind: 'manual' },
  ]);
  const runIds = created.map((run) => run.runId);
  const real: Real = { database, engines, workers, queue, queues, dagId, spec: full, runIds, answers: [] };
  const model: Model = { runs: created.length, known: [] };
  await fc.asyncModelRun(() => ({ model, real }), commands);
  await drain(engine, model, real);
}

/** Finishes whatever is left, with success. */
async function drain(engine: TestEngine, model: Model, real: Real): Promise<void> {
  const { database, runIds, queues } = real;
  const mostRounds = 10 + 3 * runIds.length * real.spec.tasks.length;
  for (let round = 0; round < mostRounds && !(await haveEnded(real)); round++) {
    for (const known of live(model)) {
      const { answers } = await engine.report({ workerId: null, reports: [reportOf(known.dispatch)] });
      expectAnswers(real, known, 'success', answers);
    }
    await engine.wakeTasks(await makeRetriesDue(database, runIds));
    receive(model, await engine.claim({ workerId: real.workers[0]!, queues, limit: 100 }), 0);
  }
  await checkRuns(database, { runIds, answers: real.answers, finished: true });
}

async function haveEnded({ database, runIds }: Real): Promise<boolean> {
  const { rows } = await database.pool.query(
    'select from dag_run where id = any($1::bigint[]) and ended_at is null limit 1',
    [runIds],
  );
  return rows.length === 0;
}

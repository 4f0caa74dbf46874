import { afterAll } from 'vitest';
import type { DagSpec } from '../../sdk/dag-spec.ts';
import type { Dispatch, Json, TaskReport } from '../../sdk/protocol.ts';
import { validateDagSpec } from '../../sdk/validate-dag-spec.ts';
import { checkRuns } from './check-runs.ts';
import type { TestDatabase } from './database.ts';
import { createTestEngine, reportOf, runStateOf, statesOf, type TestEngine } from './engine.ts';

/** A task as people write it; a list alone names its upstreams. Bash by default: what it does is said by the script. */
export type TaskInput = string[] | { [field: string]: unknown };

/** How a task ends: an outcome, its result, or parts of a report. A function decides by the dispatch; a list goes by the try. */
export type Ending =
  | 'success'
  | 'failed'
  | 'skipped'
  | { result: Json }
  | Partial<TaskReport>
  | ((dispatch: Dispatch) => Ending)
  | Ending[];

/** By task id, or `task[2]` for one instance of a mapped task. Success for who is not named. */
export type Script = { [task: string]: Ending };

export interface Semantics {
  engine: TestEngine;
  workerId: number;
  deploy(tasks: { [taskId: string]: TaskInput }, options?: { [field: string]: unknown }): Promise<DeployedDag>;
  /** Deploys, runs to the end and says how: `{ run: 'success', a: 'success', 'b[0]': 'failed' }`. */
  run(
    tasks: { [taskId: string]: TaskInput },
    script?: Script,
    options?: { [field: string]: unknown },
  ): Promise<{ [name: string]: string }>;
  /** A run of what is deployed already, or further work on one. */
  start(dag: DeployedDag): Promise<number>;
  work(runId: number, script?: Script): Promise<{ [name: string]: string }>;
  /** What the last dispatch of a task was given. */
  given(task: string): Dispatch;
}

export interface DeployedDag {
  dagId: number;
  spec: DagSpec;
}

let dags = 0;

/** Small DAGs on the real engine, with one worker that does what a script says. After each run its whole record is checked. */
export async function createSemantics(database: TestDatabase): Promise<Semantics> {
  const engine = createTestEngine(database);
  afterAll(() => engine.stop());
  const workerId = await engine.worker();
  const given = new Map<string, Dispatch>();

  const deploy: Semantics['deploy'] = async (tasks, options = {}) => {
    const input = {
      dagId: `dag_${++dags}`,
      maxActiveTasks: 1000,
      ...options,
      tasks: Object.entries(tasks).map(([taskId, task]) => {
        const fields = Array.isArray(task) ? { upstream: task } : task;
        return { taskId, kind: 'bash', ...('kind' in fields ? {} : { command: 'true' }), retryDelay: 0, ...fields };
      }),
    };
    const validated = validateDagSpec(input);
    if (!validated.ok) throw new Error(validated.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    const { dagId } = await engine.deploy(validated.spec);
    return { dagId, spec: validated.spec };
  };
  const start: Semantics['start'] = async ({ dagId }) => {
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    return run!.runId;
  };
  const work: Semantics['work'] = async (runId, script = {}) => {
    const claim = { queues: ['default'], limit: 1000 };
    let dispatches = await engine.claim({ workerId, ...claim });
    while (dispatches.length > 0) {
      for (const dispatch of dispatches) given.set(nameOf(dispatch), dispatch);
      const reports = dispatches.map((dispatch) => endOf(dispatch, script));
      dispatches = (await engine.report({ workerId, reports, claim })).dispatches;
      if (dispatches.length === 0) dispatches = await awaitRetries(engine, database, { workerId, ...claim });
    }
    await checkRuns(database, { runIds: [runId] });
    return { run: (await runStateOf(database, runId)) ?? 'none', ...(await statesOf(database, runId)) };
  };
  return {
    engine,
    workerId,
    deploy,
    start,
    work,
    run: async (tasks, script, options) => work(await start(await deploy(tasks, options)), script),
    given(task) {
      const dispatch = given.get(task);
      if (!dispatch) throw new Error(`${task} never ran; these did: ${[...given.keys()].join(', ')}`);
      return dispatch;
    },
  };
}

const nameOf = ({ taskId, mapIndex }: Dispatch): string => (mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`);

function endOf(dispatch: Dispatch, script: Script): TaskReport {
  let ending: Ending = script[nameOf(dispatch)] ?? script[dispatch.taskId] ?? 'success';
  while (typeof ending === 'function' || Array.isArray(ending))
    ending = typeof ending === 'function' ? ending(dispatch) : (ending[dispatch.tryNumber - 1] ?? ending.at(-1)!);
  if (typeof ending === 'string') return reportOf(dispatch, ending);
  if ('result' in ending) return reportOf(dispatch, 'success', { xcoms: { return_value: ending.result } });
  return reportOf(dispatch, ending.outcome ?? 'success', ending);
}

/** Retries without a delay are due at once, but time wakes them. */
async function awaitRetries(
  engine: TestEngine,
  { pool }: TestDatabase,
  claim: { workerId: number; queues: string[]; limit: number },
): Promise<Dispatch[]> {
  const { rows } = await pool.query<{ run_id: number; task_index: number; map_index: number }>(
    'select run_id, task_index, map_index from task_timer where due_at <= clock_timestamp()',
  );
  if (rows.length === 0) return [];
  await engine.wakeTasks(
    rows.map((row) => ({ runId: row.run_id, taskIndex: row.task_index, mapIndex: row.map_index })),
  );
  return engine.claim(claim);
}

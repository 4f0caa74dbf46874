import type { BashTaskSpec, DagSpec, EmptyTaskSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, ReportOutcome, TaskReport } from '#sdk/protocol.ts';
import { createEngine, type Engine, type EngineDeps } from '#db/engine/engine.ts';
import { deployDag, type Deployed } from '#db/queries/dag.ts';
import type { Database } from '#db/client.ts';
import { createVault } from '#db/vault.ts';

type TaskOptions = Partial<Omit<BashTaskSpec, 'kind'>> & { kind?: 'bash' | 'empty' };

/** A DAG in one line: `dagOf('d', { a: [], b: ['a'] })`; a value may also be a task's options. */
export function dagOf(
  dagId: string,
  tasks: Record<string, string[] | TaskOptions>,
  options: Partial<DagSpec> = {},
): DagSpec {
  return {
    specVersion: 1,
    dagId,
    description: null,
    docs: null,
    owner: null,
    tags: [],
    schedule: null,
    timezone: 'UTC',
    startDate: null,
    endDate: null,
    catchup: false,
    dataIntervals: false,
    overlap: 'allow',
    maxActiveRuns: 16,
    maxActiveTasks: 1000,
    maxConsecutiveFailedRuns: 0,
    dagrunTimeout: null,
    failFast: false,
    maxActiveTasksPerDag: null,
    concurrency: null,
    params: null,
    pausedOnCreation: false,
    retention: null,
    groups: [],
    notify: [],
    deadline: [],
    ...options,
    tasks: Object.entries(tasks).map(([taskId, value]) =>
      taskOf(taskId, Array.isArray(value) ? { upstream: value } : value),
    ),
  };
}

function taskOf(taskId: string, options: TaskOptions): TaskSpec {
  const base: Omit<EmptyTaskSpec, 'kind'> = {
    taskId,
    upstream: [],
    triggerRule: 'all_success',
    retries: 0,
    retryDelay: 0,
    retryBackoff: 1,
    maxRetryDelay: null,
    retryRules: [],
    infraRetries: 0,
    notify: [],
    executionTimeout: null,
    queue: 'default',
    priority: 1,
    weightRule: 'absolute',
    pool: null,
    poolSlots: 1,
    maxActiveTis: null,
    maxActiveTisPerRun: null,
    concurrencyKey: null,
    rateLimit: null,
    memoryLimit: null,
    owner: null,
    docs: null,
    inputs: {},
    variables: [],
    connections: [],
    outlets: [],
    group: null,
    map: null,
    setup: false,
    teardown: null,
    edgeLabels: {},
    displayName: null,
  };
  if (options.kind === 'empty') return { ...base, ...options, kind: 'empty' };
  return { ...base, command: 'true', env: {}, skipOnExitCode: 99, executor: null, pod: null, ...options, kind: 'bash' };
}

export const TEST_VAULT = createVault(Buffer.alloc(32, 7));

export interface TestEngine extends Engine {
  deploy(spec: DagSpec): Promise<Deployed>;
  /** A registered worker's id. */
  worker(name?: string): Promise<number>;
  errors: unknown[];
}

/** An engine on the test's database. Stop it before the database goes. */
export function createTestEngine({ url, pool, db }: Database, options: Pick<EngineDeps, 'broker'> = {}): TestEngine {
  const errors: unknown[] = [];
  const engine = createEngine({ url, db, pool, vault: TEST_VAULT, ...options, onError: (error) => errors.push(error) });
  let workers = 0;
  return {
    ...engine,
    errors,
    deploy: (spec) => deployDag(db, { spec, bundle: null, actor: 'test' }),
    async worker(name = `worker-${++workers}`) {
      const info = { name, queues: ['default'], slots: 100, version: 'test', hostname: null, pid: null };
      return engine.registerWorker(info);
    },
  };
}

export const reportOf = (
  dispatch: Pick<Dispatch, 'dispatchId'>,
  outcome: ReportOutcome = 'success',
  more: Partial<TaskReport> = {},
): TaskReport => ({
  dispatchId: dispatch.dispatchId,
  outcome,
  cause: outcome === 'success' ? 'ok' : outcome === 'skipped' ? 'skipped_by_task' : 'exit_code',
  logBytes: 0,
  ...more,
});

export interface TaskRow {
  state: string;
  tries: number;
}

/** The run's task instances: `{ a: 'success', 'b[0]': 'failed' }`. */
export async function statesOf({ pool }: Pick<Database, 'pool'>, runId: number): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ name: string; state: string }>(
    `select v.task_id || case when t.map_index >= 0 then '[' || t.map_index || ']' else '' end as name, t.state from task_instance t join dag_run r on r.id = t.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index where t.run_id = $1 order by t.task_index, t.map_index`,
    [runId],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.state]));
}

export async function runStateOf({ pool }: Pick<Database, 'pool'>, runId: number): Promise<string | undefined> {
  const { rows } = await pool.query<{ state: string }>('select state from dag_run where id = $1', [runId]);
  return rows[0]?.state;
}

/** Works a run to its end: `outcomes` by task id and try, success when absent. Returns the order of starts. */
export async function work(
  engine: Engine,
  workerId: number,
  outcomeOf: (dispatch: Dispatch) => ReportOutcome | Partial<TaskReport> = () => 'success',
): Promise<string[]> {
  const order: string[] = [];
  let dispatches = await engine.claim({ workerId, queues: ['default'], limit: 10 });
  while (dispatches.length > 0) {
    const next: Dispatch[] = [];
    for (const dispatch of dispatches) {
      order.push(`${dispatch.taskId}#${dispatch.tryNumber}`);
      const outcome = outcomeOf(dispatch);
      const report =
        typeof outcome === 'string'
          ? reportOf(dispatch, outcome)
          : reportOf(dispatch, outcome.outcome ?? 'success', outcome);
      const response = await engine.report({ workerId, reports: [report], claim: { queues: ['default'], limit: 10 } });
      next.push(...response.dispatches);
    }
    dispatches = next;
  }
  return order;
}

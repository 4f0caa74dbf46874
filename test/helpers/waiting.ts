import type { DagSpec, TaskSpecInput } from '#sdk/dag-spec.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import type { Database } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import { createVault } from '#db/vault.ts';
import { createLogger } from '#server/log.ts';
import { startScheduler } from '#server/scheduler/scheduler.ts';
import { startTriggerer } from '#server/triggerer/triggerer.ts';
import { statesOf } from './engine.ts';
import { waitFor } from './wait-for.ts';

/** A DAG as its author writes it: kinds and fields, the rest by default. */
export function specOf(dagId: string, tasks: Record<string, object>, options: object = {}): DagSpec {
  const list = Object.entries(tasks).map(([taskId, task]) => ({ taskId, kind: 'empty', ...task }) as TaskSpecInput);
  const read = validateDagSpec({ dagId, ...options, tasks: list });
  if (!read.ok) throw new Error(read.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return read.spec;
}

export const TEST_KEY = Buffer.alloc(32, 7);
let triggerers = 0;

/** The scheduler and the triggerer, as one process has them. */
export async function startWaiting(
  { db, pool }: Pick<Database, 'db' | 'pool'>,
  engine: Engine,
  listener: Listener,
  options: { lookLeaseSeconds?: number } = {},
) {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const log = createLogger({ level: 'error', format: 'text' });
  const scheduler = startScheduler({ db, pool, engine, listener, log, onError });
  const triggerer = await startTriggerer({
    db,
    pool,
    engine,
    listener,
    log,
    vault: createVault(TEST_KEY),
    name: `triggerer ${++triggerers}`,
    version: 'test',
    onError,
    ...options,
  });
  return {
    errors,
    async stop() {
      await triggerer.stop();
      await scheduler.stop();
    },
  };
}

/** Waits until the run's tasks are in exactly these states. */
export async function reach(
  database: Pick<Database, 'pool'>,
  runId: number,
  expected: Record<string, string>,
  timeoutMs = 20_000,
): Promise<void> {
  let seen: Record<string, string> = {};
  const isReached = async () => {
    seen = await statesOf(database, runId);
    return JSON.stringify(seen) === JSON.stringify(expected);
  };
  await waitFor(isReached, { timeoutMs, what: 'these states' }).catch((cause: unknown) => {
    throw new Error(`The tasks should be ${JSON.stringify(expected)}, they are ${JSON.stringify(seen)}.`, { cause });
  });
}

/** How the task's newest try ended. */
export async function endOf({ pool }: Pick<Database, 'pool'>, runId: number, taskId: string) {
  const { rows } = await pool.query<{
    outcome: string;
    cause: string;
    message: string | null;
    evidence: { [key: string]: unknown } | null;
    try_number: number;
  }>(
    `select y.outcome, y.cause, y.message, y.evidence, y.try_number from task_try y join dag_run r on r.id = y.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = y.task_index
     where y.run_id = $1 and v.task_id = $2 order by y.try_number desc limit 1`,
    [runId, taskId],
  );
  return rows[0];
}

/** A task's results by key. */
export async function resultsOf({ pool }: Pick<Database, 'pool'>, runId: number, taskId: string) {
  const { rows } = await pool.query<{ key: string; value: unknown }>(
    `select x.key, x.value from xcom x join dag_run r on r.id = x.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = x.task_index where x.run_id = $1 and v.task_id = $2`,
    [runId, taskId],
  );
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** Clearing and marking: a person's hand on the tasks of a run. */
import type pg from 'pg';
import type { RunState, TaskState } from '#sdk/states.ts';
import { ADMIT_TASKS } from '#db/queries/task-transitions/admit-tasks.ts';
import { APPLY_EDIT } from '#db/queries/task-transitions/apply-edit.ts';
import { LOCK_RUNS } from '#db/queries/task-transitions/lock-runs.ts';
import { editRun, selectTasks, type EditAction, type Instance, type RunEdit } from './edit-run.ts';
import type { Versions } from './versions.ts';

export interface EditRequest {
  runId: number;
  action: EditAction;
  /** Null: all tasks. */
  taskIds: string[] | null;
  upstream?: boolean;
  downstream?: boolean;
  /** Only instances that failed or whose upstream failed. */
  onlyFailed?: boolean;
  /** Say what would change, and change nothing. */
  dryRun?: boolean;
  actor: string;
}

export interface EditedTask {
  runId: number;
  taskIndex: number;
  mapIndex: number;
}

/** `not_started`: a queued run has nothing to edit yet. */
export type EditRefusal = 'not_found' | 'not_started' | 'unknown_task';

export async function editTasks(
  pool: pg.Pool,
  versions: Versions,
  request: EditRequest,
): Promise<EditedTask[] | EditRefusal> {
  const { runId } = request;
  await versions.loadRuns([runId]);
  const dag = versions.ofRun(runId);
  if (!dag) return 'not_found';
  const named =
    request.taskIds === null ? [...dag.tasks.keys()] : request.taskIds.map((id) => dag.indexOf.get(id) ?? -1);
  if (named.includes(-1)) return 'unknown_task';
  const follow = { upstream: request.upstream ?? false, downstream: request.downstream ?? false };
  const selected = selectTasks(dag, named, follow);

  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ ...LOCK_RUNS, values: [[runId]] });
    const before = await runState(client, runId);
    const instances = await loadInstances(client, runId);
    const targets = new Set([...selected].filter((index) => !request.onlyFailed || hasFailed(instances[index]?.state)));
    const isRefused = before === undefined || (before === 'queued' && instances.every(({ state }) => state === 'none'));
    if (!isRefused && !request.dryRun && targets.size > 0) {
      await apply(client, before, editRun(dag, instances, targets, request.action), targets, request);
    }
    await client.query('commit');
    if (isRefused) return before === undefined ? 'not_found' : 'not_started';
    return [...targets].sort((a, b) => a - b).map((taskIndex) => ({ runId, taskIndex, mapIndex: -1 }));
  } catch (error) {
    // Fails where the connection has: what broke first is what to tell
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

const hasFailed = (state: TaskState | undefined): boolean =>
  state === 'failed' || state === 'upstream_failed' || state === 'cancelled';

async function runState(client: pg.PoolClient, runId: number): Promise<RunState | undefined> {
  const { rows } = await client.query<{ state: RunState }>('select state from dag_run where id = $1', [runId]);
  return rows[0]?.state;
}

/** A run that had ended stands in line again: max_active_runs holds for it too. */
function runStateAfter(before: RunState, totals: RunEdit['totals']): RunState {
  if (totals.remaining > 0) return before === 'running' ? 'running' : 'queued';
  return totals.failedLeaves > 0 ? 'failed' : 'success';
}

interface InstanceRow {
  task_index: number;
  state: TaskState;
  try_number: number;
  max_tries: number;
  up_total: number;
  up_success: number;
  up_failed: number;
  up_upstream_failed: number;
  up_skipped: number;
}

async function loadInstances(client: pg.PoolClient, runId: number): Promise<Instance[]> {
  const { rows } = await client.query<InstanceRow>(
    `select task_index, state, try_number, max_tries, up_total, up_success, up_failed, up_upstream_failed, up_skipped
     from task_instance where run_id = $1 and map_index = -1 order by task_index`,
    [runId],
  );
  return rows.map((row) => ({
    state: row.state,
    tryNumber: row.try_number,
    maxTries: row.max_tries,
    counts: {
      total: row.up_total,
      success: row.up_success,
      failed: row.up_failed,
      upstreamFailed: row.up_upstream_failed,
      skipped: row.up_skipped,
    },
  }));
}

async function apply(
  client: pg.PoolClient,
  before: RunState,
  edit: RunEdit,
  targets: ReadonlySet<number>,
  request: EditRequest,
): Promise<void> {
  const { totals } = edit;
  const { runId } = request;
  const column = <T>(pick: (instance: Instance, index: number) => T): T[] =>
    edit.changed.flatMap((index) => {
      const instance = edit.instances[index];
      return instance ? [pick(instance, index)] : [];
    });
  await client.query({
    ...APPLY_EDIT,
    values: [
      runId,
      edit.changed,
      column((instance) => instance.state),
      column((instance) => instance.maxTries),
      column((instance) => instance.counts.success),
      column((instance) => instance.counts.failed),
      column((instance) => instance.counts.upstreamFailed),
      column((instance) => instance.counts.skipped),
      column((_, index) => targets.has(index)),
      totals.remaining,
      totals.active,
      totals.failedLeaves,
      runStateAfter(before, totals),
      request.actor,
      request.action === 'clear' ? 'cancelled' : 'marked',
    ],
  });
  await client.query({ ...ADMIT_TASKS, values: [[runId]] });
}

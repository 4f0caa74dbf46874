/** Clearing and marking: a person's hand on the tasks of a run. */
import type pg from 'pg';
import type { RunState, TaskState } from '#sdk/states.ts';
import { LOCK_RUNS } from '#db/queries/task-transitions/lock-runs.ts';
import { editRun, keyOf, type EditAction, type RunEdit } from './edit-run.ts';
import { loadInstances, loadTriesSpent } from './load-instances.ts';
import { makersOf, selectInstances } from './select-instances.ts';
import type { Versions } from './versions.ts';
import { writeEdit } from './write-edit.ts';

export interface EditRequest {
  runId: number;
  action: EditAction;
  /** Null: all tasks. */
  taskIds: string[] | null;
  /** Only these instances of mapped tasks; null: all. */
  mapIndexes?: number[] | null;
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
  const tasks =
    request.taskIds === null ? [...dag.tasks.keys()] : request.taskIds.map((id) => dag.indexOf.get(id) ?? -1);
  if (tasks.includes(-1)) return 'unknown_task';
  const { upstream = false, downstream = false, mapIndexes = null } = request;
  const selection = { tasks, mapIndexes, upstream, downstream };

  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ ...LOCK_RUNS, values: [[runId]] });
    const before = await runState(client, runId);
    const instances = await loadInstances(client, runId);
    const selected = selectInstances(dag, instances, selection, request.action);
    const asked = instances.filter((one) => selected.has(keyOf(one)) && (!request.onlyFailed || hasFailed(one.state)));
    const targets = new Set(asked.map(keyOf));
    if (request.action === 'clear') for (const key of makersOf(dag, instances, targets)) targets.add(key);
    const isRefused = before === undefined || (before === 'queued' && instances.every(({ state }) => state === 'none'));
    if (!isRefused && !request.dryRun && targets.size > 0) {
      const triesSpent = await loadTriesSpent(client, runId, [...dag.flow.members.values()]);
      const edit = editRun({ dag, before: instances, targets, action: request.action, triesSpent });
      await writeEdit(client, edit, {
        runId,
        targets,
        runState: runStateAfter(before, edit.totals),
        actor: request.actor,
        cause: request.action === 'clear' ? 'cancelled' : 'marked',
        takesAlong: false,
      });
    }
    await client.query('commit');
    if (isRefused) return before === undefined ? 'not_found' : 'not_started';
    const named = instances.filter((one) => targets.has(keyOf(one)));
    return named.map(({ taskIndex, mapIndex }) => ({ runId, taskIndex, mapIndex }));
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

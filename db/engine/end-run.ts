/** Ending a run before its tasks have: by a person, a time limit, its first failure. */
import type pg from 'pg';
import { isFinishedRunState, isFinishedTaskState, type RunState } from '#sdk/states.ts';
import {
  END_RUN,
  FAILED_TASK,
  OVERDUE_RUN,
  READ_END,
  SET_END,
  type EndRunRequest,
  type EndRunResult,
} from '#db/queries/task-transitions/end-run.ts';
import { LOCK_RUNS } from '#db/queries/task-transitions/lock-runs.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { editRun, keyOf, type Instance } from './edit-run.ts';
import { loadInstances } from './load-instances.ts';
import { writeEdit } from './write-edit.ts';

/**
 * Ends a run, whatever its tasks are at. Teardowns whose setup has succeeded still run: until they have, the run goes on, and what it
 * will be is kept in `end_as`.
 */
export async function endRun(
  pool: pg.Pool,
  dag: CompiledDag | undefined,
  request: EndRunRequest,
): Promise<EndRunResult> {
  const { runId, as, rest, actor, cause, reason } = request;
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ ...LOCK_RUNS, values: [[runId]] });
    const { rows } = await client.query<{ state: RunState; end_as: RunState | null }>({ ...READ_END, values: [runId] });
    const run = rows[0];
    const isLive = run !== undefined && !isFinishedRunState(run.state);
    const holds = isLive && (run.end_as === null || request.atOnce === true) && (await isStillSo(client, request));
    if (holds) {
      const cleansUp = run.state === 'running' && run.end_as === null && dag?.flow.hasTeardowns;
      const left = cleansUp ? await loadInstances(client, runId) : [];
      const isLeft = dag && left.length > 0 ? await endWithTeardowns(client, dag, left, request) : false;
      if (isLeft) await client.query({ ...SET_END, values: [runId, as, reason] });
      else await client.query({ ...END_RUN, values: [runId, as, rest, actor, cause, reason] });
    }
    await client.query('commit');
    if (isLive) return holds ? 'ended' : 'changed';
    return run === undefined ? 'not_found' : 'finished';
  } catch (error) {
    // Fails where the connection has: what broke first is what to tell
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

async function isStillSo(client: pg.PoolClient, { runId, provided }: EndRunRequest): Promise<boolean> {
  if (provided === undefined) return true;
  const { rowCount } =
    provided === 'overdue'
      ? await client.query({ ...OVERDUE_RUN, values: [runId] })
      : await client.query({ ...FAILED_TASK, values: [runId, provided.failed.taskIndex, provided.failed.mapIndex] });
  return rowCount === 1;
}

/** False: there is nothing to clean up. */
async function endWithTeardowns(
  client: pg.PoolClient,
  dag: CompiledDag,
  before: readonly Instance[],
  { runId, rest, actor, cause }: EndRunRequest,
): Promise<boolean> {
  const open = before.filter(({ state }) => !isFinishedTaskState(state));
  const cleansUp = open.filter((instance) => mustCleanUp(dag, before, instance));
  if (cleansUp.length === 0) return false;
  const targets = new Set(open.filter((instance) => !cleansUp.includes(instance)).map(keyOf));
  const edit = editRun({ dag, before, targets, action: rest });
  await writeEdit(client, edit, { runId, targets, runState: 'running', actor, cause, takesAlong: true });
  return true;
}

/** A teardown one of whose setups has succeeded. One that is an empty task cleans nothing up, and would keep no run going. */
function mustCleanUp({ tasks, indexOf, instant }: CompiledDag, instances: readonly Instance[], one: Instance): boolean {
  if (instant[one.taskIndex] === 1) return false;
  const setups = tasks[one.taskIndex]?.teardown?.setups.map((id) => indexOf.get(id)) ?? [];
  return instances.some(
    ({ taskIndex, mapIndex, state }) =>
      setups.includes(taskIndex) &&
      state === 'success' &&
      (mapIndex === one.mapIndex || mapIndex < 0 || one.mapIndex < 0),
  );
}

/** A run's task instances as the edits see them. The run is locked. */
import type { TaskState } from '#sdk/states.ts';
import type { Queryable } from '#db/queries/task-transitions/statement.ts';
import type { Instance } from './edit-run.ts';
import { BRANCH_KEY, type BranchChoice } from './special-edges.ts';

interface Row {
  task_index: number;
  map_index: number;
  state: TaskState;
  try_number: number;
  max_tries: number;
  up_total: number;
  up_success: number;
  up_failed: number;
  up_upstream_failed: number;
  up_skipped: number;
  branch: BranchChoice | null;
}

export async function loadInstances(client: Queryable, runId: number): Promise<Instance[]> {
  const { rows } = await client.query({
    name: 'load_instances',
    text: `select t.task_index, t.map_index, t.state, t.try_number, t.max_tries, t.up_total, t.up_success, t.up_failed, t.up_upstream_failed,
        t.up_skipped, x.value as branch
      from task_instance t
      left join xcom x on x.run_id = t.run_id and x.task_index = t.task_index and x.map_index = t.map_index and x.key = $2
      where t.run_id = $1 order by t.task_index, t.map_index`,
    values: [runId, BRANCH_KEY],
  });
  return (rows as Row[]).map((row) => ({
    taskIndex: row.task_index,
    mapIndex: row.map_index,
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
    branch: row.branch,
  }));
}

/** Tries on record of the rows that stand for mapped units: they are numbered on, should such a row come back. */
export async function loadTriesSpent(
  client: Queryable,
  runId: number,
  units: readonly Int32Array[],
): Promise<Map<number, number>> {
  if (units.length === 0) return new Map();
  const { rows } = await client.query({
    name: 'load_tries_spent',
    text: `select task_index, max(try_number)::int as tries from task_try
      where run_id = $1 and map_index = -1 and task_index = any($2::int[]) group by task_index`,
    values: [runId, units.flatMap((unit) => [...unit])],
  });
  return new Map((rows as { task_index: number; tries: number }[]).map((row) => [row.task_index, row.tries]));
}

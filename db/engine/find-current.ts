import type pg from 'pg';
import type { DispatchKey } from './dispatch-id.ts';
import type { ClaimedTask } from './work-items.ts';

/** Those of the dispatches that are their instances' current ones, as they were claimed. */
export async function findCurrent(pool: pg.Pool, keys: readonly DispatchKey[]): Promise<ClaimedTask[]> {
  if (keys.length === 0) return [];
  const { rows } = await pool.query<{ n: number; try_number: number; max_tries: number; version_id: number }>({
    name: 'find_current',
    text: `select f.n::int as n, t.try_number, t.max_tries, r.version_id
      from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) with ordinality f(run_id, task_index, map_index, dispatch_id, n)
      join task_instance t using (run_id, task_index, map_index, dispatch_id) join dag_run r on r.id = t.run_id
      where t.state in ('queued', 'running')`,
    values: [
      keys.map((key) => key.runId),
      keys.map((key) => key.taskIndex),
      keys.map((key) => key.mapIndex),
      keys.map((key) => key.uuid),
    ],
  });
  return rows.flatMap(({ n, try_number: tryNumber, max_tries: maxTries, version_id: versionId }) => {
    const key = keys[n - 1];
    return key ? [{ ...key, tryNumber, maxTries, versionId }] : [];
  });
}

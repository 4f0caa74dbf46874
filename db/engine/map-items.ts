/** The arguments of instances of mapped tasks and groups. */
import type pg from 'pg';
import type { MapSpec } from '#sdk/map-spec.ts';
import type { CompiledDag } from './compiled-dag.ts';
import type { MapItem } from './expand-map.ts';
import type { Versions } from './versions.ts';
import type { ClaimedTask } from './work-items.ts';

/** The map that a task's instances come from: its own, or that of the group it stands in. */
export function mapOf({ flow, tasks }: CompiledDag, taskIndex: number): MapSpec | null {
  return tasks[flow.unitOf[taskIndex] ?? -1]?.map ?? null;
}

/** One query a batch, and none when no claimed task is mapped. */
export async function loadMapItems(
  pool: pg.Pool,
  versions: Versions,
  claimed: readonly ClaimedTask[],
): Promise<Map<ClaimedTask, MapItem>> {
  const found = new Map<ClaimedTask, MapItem>();
  const mapped = claimed.filter(({ mapIndex }) => mapIndex >= 0);
  if (mapped.length === 0) return found;
  const { rows } = await pool.query<{ n: number; value: MapItem }>({
    name: 'load_map_items',
    text: `select f.n::int as n, m.value from unnest($1::bigint[], $2::int[], $3::int[]) with ordinality f(run_id, task_index, map_index, n)
      join map_item m using (run_id, task_index, map_index)`,
    values: [
      mapped.map(({ runId }) => runId),
      mapped.map(({ versionId, taskIndex }) => versions.get(versionId)?.flow.unitOf[taskIndex] ?? -1),
      mapped.map(({ mapIndex }) => mapIndex),
    ],
  });
  for (const { n, value } of rows) {
    const task = mapped[n - 1];
    if (task) found.set(task, value);
  }
  return found;
}

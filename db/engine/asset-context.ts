/** What runs of kind `asset` were made for: loaded only for tasks that can ask for it. */
import type pg from 'pg';
import type { AssetEvent, Json } from '#sdk/protocol.ts';

/** Of one run; the newest. */
const MOST_EVENTS = 1000;

interface EventRow {
  for_run: number;
  asset: string;
  at: Date;
  extra: { [key: string]: Json };
  run_id: number | null;
  dag_name: string | null;
  task_id: string | null;
  run_key: string | null;
  map_index: number | null;
}

/** By run id, oldest first; one query, and none when no run is asked for. */
export async function loadAssetEvents(
  pool: pg.Pool,
  runIds: readonly number[],
): Promise<ReadonlyMap<number, AssetEvent[]>> {
  const found = new Map<number, AssetEvent[]>();
  if (runIds.length === 0) return found;
  const { rows } = await pool.query<EventRow>({
    name: 'load_asset_events',
    text: `select q.run_id as for_run, a.name as asset, e.at, e.extra, e.run_id, e.dag_name, e.task_id, e.run_key, e.map_index
      from unnest($1::bigint[]) q(run_id),
        lateral (select event_id from asset_run_event where run_id = q.run_id order by event_id desc limit ${MOST_EVENTS}) l
        join asset_event e on e.id = l.event_id join asset a on a.id = e.asset_id
      order by e.id`,
    values: [runIds],
  });
  for (const row of rows) found.set(row.for_run, [...(found.get(row.for_run) ?? []), eventOf(row)]);
  return found;
}

const eventOf = ({ asset, at, extra, dag_name, task_id, run_key, map_index }: EventRow): AssetEvent => ({
  asset,
  at: at.toISOString(),
  extra,
  source:
    dag_name === null || task_id === null || run_key === null
      ? null
      : { dagId: dag_name, taskId: task_id, runKey: run_key, mapIndex: map_index ?? -1 },
});

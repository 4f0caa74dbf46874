/** Since when a sensor looks: its timeout counts from its first start, over retries, reschedules and lost workers. */
import type pg from 'pg';
import type { Dispatch } from '#sdk/protocol.ts';
import type { Versions } from './versions.ts';
import type { ClaimedTask } from './work-items.ts';

/**
 * The tries since the task was last cleared: a clear gives as many tries again as the spec allows, so the oldest of them has the number
 * max_tries - retries.
 */
const LOAD = `
select f.n::int as n, extract(epoch from clock_timestamp() - least(t.started_at, p.first_started_at, y.started_at))::float8 as elapsed, coalesce(p.pokes, 0) as pokes
from unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) with ordinality f(run_id, task_index, map_index, retries, n)
join task_instance t using (run_id, task_index, map_index)
left join task_poke p using (run_id, task_index, map_index)
left join lateral (
  select min(y.started_at) as started_at from task_try y
  where y.run_id = f.run_id and y.task_index = f.task_index and y.map_index = f.map_index and y.try_number >= t.max_tries - f.retries) y on true`;

/** Of those that are sensors. One query a batch, and none when there is no sensor among them. */
export async function loadWaiting(
  pool: pg.Pool,
  versions: Versions,
  claimed: readonly ClaimedTask[],
): Promise<Map<ClaimedTask, NonNullable<Dispatch['waiting']>>> {
  const found = new Map<ClaimedTask, NonNullable<Dispatch['waiting']>>();
  const sensors = claimed.flatMap((task) => {
    const spec = versions.get(task.versionId)?.tasks[task.taskIndex];
    return spec && WAITING_KINDS.has(spec.kind) ? [{ task, retries: spec.retries }] : [];
  });
  if (sensors.length === 0) return found;
  const { rows } = await pool.query<{ n: number; elapsed: number | null; pokes: number }>({
    name: 'load_waiting',
    text: LOAD,
    values: [
      sensors.map(({ task }) => task.runId),
      sensors.map(({ task }) => task.taskIndex),
      sensors.map(({ task }) => task.mapIndex),
      sensors.map(({ retries }) => retries),
    ],
  });
  for (const { n, elapsed, pokes } of rows) {
    const sensor = sensors[n - 1];
    if (sensor) found.set(sensor.task, { elapsed: Math.max(0, elapsed ?? 0), pokes });
  }
  return found;
}

const WAITING_KINDS: ReadonlySet<string> = new Set(['sensor', 'trigger_dag', 'approval']);

/** Runs with everything that is known of them, for whoever holds their events against their rows. */
import type pg from 'pg';
import type { RunRecord } from '#db/replay/run-record.ts';

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;
const list = (columns: string, from: string, order: string) =>
  `(select coalesce(json_agg(x order by ${order}), '[]') from (select ${columns} from ${from}) x)`;

const LOAD = `
select json_build_object('id', r.id, 'dag_id', r.dag_id, 'state', r.state, 'kind', r.kind, 'remaining', r.remaining, 'active', r.active, 'failed_leaves', r.failed_leaves, 'end_as', r.end_as,
    'event_seq', r.event_seq, 'max_active_tasks', r.max_active_tasks, 'max_active_runs', d.max_active_runs,
    'started', ${micros('r.started_at')}, 'ended', ${micros('r.ended_at')}) as run,
  v.spec,
  ${list(`run_seq, body, ${micros('at')} as at`, 'event where run_id = r.id', 'run_seq')} as events,
  ${list(
    `task_index, map_index, state, try_number, max_tries, up_total, up_success, up_failed, up_upstream_failed, up_skipped, dispatch_id,
     ${micros('deadline_at')} as deadline, ${micros('ended_at')} as ended`,
    'task_instance where run_id = r.id',
    'task_index, map_index',
  )} as instances,
  ${list('task_index, map_index, try_number, dispatch_id, outcome, cause', 'task_try where run_id = r.id', 'task_index, map_index, try_number')} as tries,
  ${list('task_index, map_index, rank, queue', 'ready_task where run_id = r.id', 'task_index, map_index')} as ready,
  ${list(`task_index, map_index, rank, '' as queue`, 'waiting_task where run_id = r.id', 'task_index, map_index')} as waiting,
  ${list(`task_index, map_index, 0 as rank, '' as queue, ${micros('due_at')} as due`, 'task_timer where run_id = r.id', 'task_index, map_index')} as timers,
  ${list(`task_index, map_index, 0 as rank, '' as queue, dispatch_id`, `trigger_wait where run_id = r.id and kind <> 'cancel_child'`, 'task_index, map_index')} as waits,
  ${list('dispatch_id', 'launch where run_id = r.id', 'dispatch_id')} as launches,
  ${list('gate, task_index, map_index, slots', 'held_slot where run_id = r.id', 'task_index, map_index, gate')} as held,
  json_build_object('conf', coalesce(r.conf, '{}'), 'params', coalesce(v.param_defaults, '{}') || coalesce(r.conf, '{}')) as values,
  (select count(*)::int from xcom where run_id = r.id and key = 'millrace.branch') as branches
from dag_run r join dag d on d.id = r.dag_id join dag_version v on v.id = r.version_id
where $1::bigint[] is null or r.id = any($1::bigint[]) order by r.id`;

/** The given runs, or all that the database holds. */
export async function loadRuns(pool: pg.Pool, runIds: number[] | null = null): Promise<RunRecord[]> {
  const { rows } = await pool.query<RunRecord>({ name: 'load_run_records', text: LOAD, values: [runIds] });
  return rows;
}

/** Rows of the ready, waiting, timer and slot tables whose run is gone. */
export async function orphans(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ place: string }>(
    ['ready_task', 'waiting_task', 'task_timer', 'trigger_wait', 'held_slot']
      .map(
        (table) =>
          `select '${table} ' || q.run_id || '.' || q.task_index as place from ${table} q left join dag_run r on r.id = q.run_id where r.id is null`,
      )
      .join(' union all '),
  );
  return rows.map((row) => row.place);
}

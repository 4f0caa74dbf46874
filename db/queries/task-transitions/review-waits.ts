import { DEFERRED_REVIEW_SECONDS } from './defer-tasks.ts';
import { REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/**
 * Beside REVIEW_TASKS: a deferred instance whose wait is gone begins its try anew, through admission (ADMIT_TASKS follows); the others are
 * looked at again later. Runs locked. $1 runs
 */
export const REVIEW_WAITS: Statement = {
  name: 'review_waits',
  text: `
with t as materialized (
  select t.run_id, t.task_index, t.map_index, t.dispatch_id, p.rank, exists (select from trigger_wait w
      where w.run_id = t.run_id and w.task_index = t.task_index and w.map_index = t.map_index and w.dispatch_id = t.dispatch_id) as waits
  from dag_run r, task_instance t, lateral ${taskOf('t', 'rank')} p
  where r.id = any($1::bigint[]) and r.state = 'running' and t.run_id = r.id and t.state = 'deferred' and t.deadline_at < clock_timestamp()),
u as (
  update task_instance i set state = case when t.waits then i.state else 'scheduled' end,
    dispatch_id = case when t.waits then i.dispatch_id end, try_number = case when t.waits then i.try_number else i.try_number - 1 end,
    worker_id = case when t.waits then i.worker_id end,
    deadline_at = clock_timestamp() + case when t.waits then interval '${DEFERRED_REVIEW_SECONDS} s' else interval '${REVIEW_SECONDS} s' end
  from t where i.run_id = t.run_id and i.task_index = t.task_index and i.map_index = t.map_index and i.state = 'deferred'
  returning i.run_id, i.task_index, i.map_index, i.state, i.try_number, t.rank),
w as (
  insert into waiting_task (run_id, rank, task_index, map_index) select run_id, rank, task_index, map_index from u where state = 'scheduled'
  on conflict do nothing),
s as (
  update dag_run r set event_seq = r.event_seq + 1
  from (select run_id, json_agg(json_build_array(task_index, map_index, state, try_number)) t from u where state = 'scheduled' group by run_id) g
  where r.id = g.run_id returning r.id, r.event_seq, g.t),
e as (insert into event (run_id, run_seq, body) select id, event_seq, json_build_object('t', t) from s),
notify as materialized (select pg_notify('millrace_event', '') from (select from s limit 1) x)
select (select count(*) from u where state = 'scheduled')::int as repaired, (select count(*) from notify) as notified`,
};

import { TELL_READY } from './ready-rows.ts';
import { REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/**
 * Repairs what a lost row would leave behind: queued without a place in ready_task, held back without one in waiting_task, put off
 * without a timer. Looks at live runs whose deadline has passed only. Runs locked. $1 runs
 */
export const REVIEW_TASKS: Statement = {
  name: 'review_tasks',
  text: `
with t as materialized (
  select t.run_id, t.task_index, t.map_index, t.state, t.dispatch_id, t.deadline_at, p.queue, p.rank, p.expands from dag_run r, task_instance t, lateral ${taskOf('t', 'queue, rank, expands')} p
  where r.id = any($1::bigint[]) and r.state = 'running' and t.run_id = r.id and t.state in ('queued', 'scheduled', 'up_for_retry', 'up_for_reschedule')
    and t.deadline_at < clock_timestamp()),
u as (
  update task_instance i set deadline_at = clock_timestamp() + interval '${REVIEW_SECONDS} s' from t
  where t.state in ('queued', 'scheduled') and i.run_id = t.run_id and i.task_index = t.task_index and i.map_index = t.map_index and i.state = t.state),
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index) select queue, rank, run_id, task_index, map_index from t
  where state = 'queued' and dispatch_id is null and not exists (select from ready_task y where y.run_id = t.run_id and y.task_index = t.task_index and y.map_index = t.map_index)
  returning queue, rank, id),
w as (
  insert into waiting_task (run_id, rank, task_index, map_index) select run_id, rank, task_index, map_index from t
  where state = 'scheduled' and not (expands and map_index = -1)
    and not exists (select from waiting_task w where w.run_id = t.run_id and w.task_index = t.task_index and w.map_index = t.map_index)
  returning 1),
m as (
  insert into task_timer (run_id, task_index, map_index, due_at) select run_id, task_index, map_index, deadline_at from t where state in ('up_for_retry', 'up_for_reschedule')
  on conflict do nothing returning 1),
notify as materialized (${TELL_READY})
select (select count(*) from y)::int + (select count(*) from w)::int + (select count(*) from m)::int as repaired, (select count(*) from notify) as notified`,
};

/** Live runs that hold an overdue queued, held-back or retrying instance. $1 after this run id $2 most runs scanned */
export const OVERDUE_RUNS: Statement = {
  name: 'overdue_runs',
  text: `
select r.id from (select id from dag_run where state = 'running' and id > $1 order by id limit $2) r
where exists (select from task_instance t where t.run_id = r.id and t.state in ('queued', 'scheduled', 'up_for_retry', 'up_for_reschedule', 'deferred')
  and t.deadline_at < clock_timestamp() - interval '30 s')`,
};

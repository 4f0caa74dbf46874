import { events } from './events.ts';
import { TELL_READY } from './ready-rows.ts';
import { AS_FEW, REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/** Lets held-back tasks of locked runs pass, by rank, as far as max_active_tasks allows. Not where there are gates. $1 runs */
export const ADMIT_TASKS: Statement = {
  name: 'admit_tasks',
  text: `
with k as materialized (
  select w.ctid, r.id as run_id, r.version_id, w.rank, w.task_index, w.map_index from (select * from unnest($1::bigint[]) q(id) ${AS_FEW}) q,
    lateral (select id, version_id, case when state = 'running' then greatest(max_active_tasks - active, 0) else 0 end as room
      from dag_run d where id = q.id and not exists (select from dag_version v where v.id = d.version_id and v.gated)) r,
    lateral (select ctid, rank, task_index, map_index from waiting_task where run_id = r.id and gate_set = 0 order by rank, task_index, map_index limit r.room) w),
gone as (delete from waiting_task where ctid = any(array(select ctid from k))),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'queued', dispatch_id = null, queued_at = clk.ts, deadline_at = clk.ts + interval '${REVIEW_SECONDS} s'
  from k, clk where t.run_id = k.run_id and t.task_index = k.task_index and t.map_index = k.map_index and t.state = 'scheduled'
  returning t.run_id, t.task_index, t.map_index, t.try_number, k.rank, k.version_id),
${events('queued', '+')},
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index)
  select p.queue, u.rank, u.run_id, u.task_index, u.map_index from u,
    lateral ${taskOf('u', 'queue')} p
  order by u.run_id, u.rank, u.task_index returning queue, rank, id),
notify as materialized (
  select pg_notify('millrace_event', '')::text from (select from s limit 1) x
  union all ${TELL_READY})
select (select count(*)::int from u) as admitted, (select count(*) from notify) as notified`,
};

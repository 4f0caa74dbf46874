import { events } from './events.ts';
import { AS_FEW, type Statement } from './statement.ts';

/**
 * Running instances look again later: the same try, as if it had not been claimed, with a timer instead of a worker. When they first
 * looked is remembered. Runs locked. $1 run $2 task $3 map $4 dispatch $5 seconds until then. Rows: n.
 */
export const RESCHEDULE_TASKS: Statement = {
  name: 'reschedule_tasks',
  text: `
with f as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::float8[]) with ordinality
    f(run_id, task_index, map_index, dispatch_id, seconds, n) ${AS_FEW}),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'up_for_reschedule', dispatch_id = null, try_number = t.try_number - 1, worker_id = null,
    deadline_at = clk.ts + f.seconds * interval '1 second'
  from f, clk
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'running'
  returning f.n, t.run_id, t.task_index, t.map_index, t.try_number, t.started_at, t.deadline_at),
m as (
  insert into task_timer (run_id, task_index, map_index, due_at) select run_id, task_index, map_index, deadline_at from u
  on conflict (run_id, task_index, map_index) do update set due_at = excluded.due_at returning 1),
p as (
  insert into task_poke as p (run_id, task_index, map_index, first_started_at, pokes) select run_id, task_index, map_index, started_at, 1 from u
  on conflict (run_id, task_index, map_index) do update set pokes = p.pokes + 1),
${events('up_for_reschedule', '-')},
notify as materialized (
  select pg_notify('millrace_event', '') from (select from s limit 1) x
  union all select pg_notify('millrace_schedule', '') from (select from m limit 1) x)
select u.n::int as n, (select count(*) from notify) from u`,
};

import { AS_FEW, REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/** Task instances whose time has come, unlocked: the runs' locks come first. $1 most */
export const DUE_TASKS: Statement = {
  name: 'due_tasks',
  text: `select run_id, task_index, map_index from task_timer where due_at <= clock_timestamp() order by due_at limit $1`,
};

/**
 * Retries and looks that are due go back to the line, through admission like everything else (ADMIT_TASKS follows in the same transaction).
 * The runs are locked. $1 run $2 task $3 map
 */
export const WAKE_TASKS: Statement = {
  name: 'wake_tasks',
  text: `
with f as materialized (select * from unnest($1::bigint[], $2::int[], $3::int[]) f(run_id, task_index, map_index) ${AS_FEW}),
clk as materialized (select clock_timestamp() ts),
gone as (
  delete from task_timer m using f where m.run_id = f.run_id and m.task_index = f.task_index and m.map_index = f.map_index
    and m.due_at <= (select ts from clk)),
u as (
  update task_instance t set state = 'scheduled', dispatch_id = null, deadline_at = clk.ts + interval '${REVIEW_SECONDS} s'
  from f, clk where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.state in ('up_for_retry', 'up_for_reschedule')
    and t.deadline_at <= clk.ts
  returning t.run_id, t.task_index, t.map_index, t.try_number),
s as (
  update dag_run r set event_seq = r.event_seq + 1
  from (select run_id, json_agg(json_build_array(task_index, map_index, 'scheduled', try_number)) t from u group by run_id) g
  where r.id = g.run_id returning r.id, r.version_id, r.event_seq, g.t),
e as (insert into event (run_id, run_seq, at, body) select id, event_seq, (select ts from clk), json_build_object('t', t) from s),
w as (
  insert into waiting_task (run_id, rank, task_index, map_index)
  select u.run_id, p.rank, u.task_index, u.map_index from u,
    lateral ${taskOf('u', 'rank')} p)
select count(*)::int as woken from u`,
};

/** When the next timer rings: milliseconds from now, or null. */
export const NEXT_TIMER: Statement = {
  name: 'next_timer',
  text: `select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::float8 as ms from task_timer`,
};

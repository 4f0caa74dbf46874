import { events } from './events.ts';
import { AS_FEW, REVIEW_SECONDS, type Statement } from './statement.ts';

/**
 * Seconds after which a deferred instance is looked at again, in case its row in trigger_wait is gone. Rare, since nothing loses rows;
 * thousands of waits must cost nothing by being many.
 */
export const DEFERRED_REVIEW_SECONDS = 6 * REVIEW_SECONDS;

/**
 * Running instances begin to wait: the dispatch stays current, the lease and the place among the active ones end. Runs locked.
 * $1 run $2 task $3 map $4 dispatch $5 kind $6 spec $7 due (null: now) $8 seconds until it is over $9 watch key. Rows: n.
 */
export const DEFER_TASKS: Statement = {
  name: 'defer_tasks',
  text: `
with f as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::text[], $6::jsonb[], $7::timestamptz[], $8::float8[], $9::text[])
    with ordinality f(run_id, task_index, map_index, dispatch_id, kind, spec, due_at, seconds, watch_key, n) ${AS_FEW}),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'deferred', deadline_at = least(clk.ts + f.seconds * interval '1 second', clk.ts + interval '${DEFERRED_REVIEW_SECONDS} s')
  from f, clk
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'running'
  returning f.n, t.run_id, t.task_index, t.map_index, t.try_number, t.dispatch_id, f.kind, f.spec, least(coalesce(f.due_at, clk.ts), clk.ts + f.seconds * interval '1 second') as due_at,
    clk.ts + f.seconds * interval '1 second' as timeout_at, f.watch_key),
w as (
  insert into trigger_wait (run_id, task_index, map_index, dispatch_id, kind, spec, due_at, timeout_at, watch_key)
  select run_id, task_index, map_index, dispatch_id, kind, spec, due_at, timeout_at, watch_key from u on conflict do nothing),
${events('deferred', '-')},
notify as materialized (
  select pg_notify('millrace_event', '') from (select from s limit 1) x
  union all select pg_notify('millrace_trigger', '') from (select from u limit 1) x)
select u.n::int as n, (select count(*) from notify) from u`,
};

/**
 * Ahead of the end of deferred instances: they run again for the rest of the transaction, so that finishTasks needs to know nothing of
 * waiting. No event: nobody ever sees it. Runs locked. $1 run $2 task $3 map $4 dispatch
 */
export const RESUME_TASKS: Statement = {
  name: 'resume_tasks',
  text: `
with f as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) f(run_id, task_index, map_index, dispatch_id) ${AS_FEW}),
u as (
  update task_instance t set state = 'running' from f
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'deferred'
  returning t.run_id, t.task_index, t.map_index, t.dispatch_id),
gone as (
  delete from trigger_wait w using u
  where w.run_id = u.run_id and w.task_index = u.task_index and w.map_index = u.map_index and w.dispatch_id = u.dispatch_id),
s as (
  update dag_run r set active = r.active + g.n from (select run_id, count(*)::int as n from u group by run_id) g where r.id = g.run_id)
select count(*)::int as resumed from u`,
};

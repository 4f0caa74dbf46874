import { neverBeaten } from './keep-alive.ts';
import { TELL_READY } from './ready-rows.ts';
import { AS_FEW, REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/**
 * A dispatch given back before user code started (running, or on its way to a cluster): the same try, queued again, and counted. Runs locked. $1 run $2 task $3 map $4 dispatch $5 only if
 * no beat has named it. Rows: n.
 */
export const RELEASE_TASKS: Statement = {
  name: 'release_tasks',
  text: `
with f as materialized (
  select * from (select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::bool[]) with ordinality
    f(run_id, task_index, map_index, dispatch_id, undelivered, n) ${AS_FEW}) f
  where not f.undelivered or ${neverBeaten('f.dispatch_id')}),
u as (
  update task_instance t set state = 'queued', dispatch_id = null, try_number = t.try_number - 1, started_at = null, worker_id = null,
    deadline_at = clock_timestamp() + interval '${REVIEW_SECONDS} s'
  from f
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state in ('queued', 'running')
  returning f.n, t.run_id, t.task_index, t.map_index, t.try_number),
s as (
  update dag_run r set event_seq = r.event_seq + 1
  from (select run_id, json_agg(json_build_array(task_index, map_index, 'queued', try_number)) t from u group by run_id) g
  where r.id = g.run_id returning r.id, r.event_seq, g.t),
e as (insert into event (run_id, run_seq, body) select id, event_seq, json_build_object('t', t) from s),
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index)
  select p.queue, p.rank, u.run_id, u.task_index, u.map_index from u,
    lateral ${taskOf('u', 'queue, rank')} p
  returning queue, rank, id),
rl as (
  insert into task_relaunch as l (run_id, task_index, map_index, try_number, count)
  select run_id, task_index, map_index, try_number + 1, 1 from u
  on conflict (run_id, task_index, map_index) do update
    set count = case when l.try_number = excluded.try_number then l.count + 1 else 1 end, try_number = excluded.try_number),
notify as materialized (
  select pg_notify('millrace_event', '')::text from (select from s limit 1) x
  union all ${TELL_READY})
select u.n::int as n, (select count(*) from notify) from u`,
};

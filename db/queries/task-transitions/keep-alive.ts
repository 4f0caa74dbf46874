import { DELIVERY_SECONDS, LEASE_SECONDS, type Statement } from './statement.ts';

/**
 * Renews leases; what does not come back is fenced. Touches no state. Takes no run's lock, so it must not wait for an instance's: two
 * that hold what the other wants would stand still. What somebody is changing right now counts as alive until the next beat.
 * $1 run $2 task $3 map $4 dispatch. Rows: n.
 */
export const RENEW_LEASES: Statement = {
  name: 'renew_leases',
  text: `
with f as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) with ordinality f(run_id, task_index, map_index, dispatch_id, n)),
l as materialized (
  select f.n, f.run_id, f.task_index, f.map_index from f, lateral (
    select from task_instance t
    where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'running'
    for no key update skip locked) t),
u as (
  update task_instance t set deadline_at = clock_timestamp() + interval '${LEASE_SECONDS} s' from l
  where t.run_id = l.run_id and t.task_index = l.task_index and t.map_index = l.map_index)
select n::int as n from l
union all
select f.n::int from f where f.n not in (select n from l) and exists (
  select from task_instance t
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'running')`,
};

/**
 * Running instances of live runs whose lease has expired. Cost follows the live runs, not the history: there is no index on deadlines
 * because it would end HOT updates. $1 after this run id $2 most runs
 */
export const EXPIRED_LEASES: Statement = {
  name: 'expired_leases',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, t.worker_id, r.version_id
from (select id, version_id from dag_run where state = 'running' and active > 0 and id > $1 order by id limit $2) r,
lateral (select * from task_instance t where t.run_id = r.id and t.state = 'running' and t.deadline_at < clock_timestamp()) t`,
};

/** What a worker that is gone for certain was running. $1 workers */
export const TASKS_OF_WORKERS: Statement = {
  name: 'tasks_of_workers',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, t.worker_id, r.version_id
from (select id, version_id from dag_run where state = 'running' and active > 0) r,
lateral (select * from task_instance t where t.run_id = r.id and t.state = 'running' and t.worker_id = any($1::int[])) t`,
};

/**
 * Dispatches that their worker never got, since the answer that carried them was lost: it lives, and its beats have never named them.
 * A lease that was never renewed ends where it began. $1 most runs
 */
export const UNDELIVERED_TASKS: Statement = {
  name: 'undelivered_tasks',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id
from (select id from dag_run where state = 'running' and active > 0 order by id limit $1) r,
lateral (select * from task_instance t where t.run_id = r.id and t.state = 'running'
  and t.deadline_at = t.started_at + interval '${LEASE_SECONDS} s' and t.started_at < clock_timestamp() - interval '${DELIVERY_SECONDS} s') t
join worker w on w.id = t.worker_id and w.state <> 'offline' and w.last_beat_at > t.started_at + interval '${DELIVERY_SECONDS} s'`,
};

import { isLaunched, isStarting } from './start-tasks.ts';
import { AS_FEW, DELIVERY_SECONDS, LEASE_SECONDS, type Statement } from './statement.ts';

/** When the lease of the running instance `t` ends. */
export const LEASE_END = `coalesce((select renewed_until from task_lease where dispatch_id = t.dispatch_id), t.deadline_at)`;
/** No beat has ever named the dispatch. */
export const neverBeaten = (dispatch: string): string =>
  `not exists (select from task_lease l where l.dispatch_id = ${dispatch})`;

/**
 * Renews leases; what does not come back is fenced. Writes to no instance and waits for none: a flush may hold it, and a statement of a
 * flush must never find that a row of a partitioned table has changed under it (docs/adr/0006-no-rechecks.md).
 * $1 run $2 task $3 map $4 dispatch. Rows: n.
 */
export const RENEW_LEASES: Statement = {
  name: 'renew_leases',
  text: `
with f as materialized (
  select f.n, f.dispatch_id from (
    select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) with ordinality f(run_id, task_index, map_index, dispatch_id, n) ${AS_FEW}) f
  where exists (select from task_instance t
    where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state in ('queued', 'running'))),
l as (
  insert into task_lease (dispatch_id, renewed_until)
  select dispatch_id, clock_timestamp() + interval '${LEASE_SECONDS} s' from (select distinct dispatch_id from f order by dispatch_id) d
  on conflict (dispatch_id) do update set renewed_until = excluded.renewed_until)
select n::int as n from f`,
};

/** Leases that nobody can renew any more: their tries ended long ago. */
export const FORGET_LEASES: Statement = {
  name: 'forget_leases',
  text: `delete from task_lease where renewed_until < clock_timestamp() - interval '10 minutes'`,
};

/**
 * Running instances of live runs whose lease has expired. Cost follows the live runs, not the history: there is no index on deadlines
 * because it would end HOT updates. $1 after this run id $2 most runs
 */
export const EXPIRED_LEASES: Statement = {
  name: 'expired_leases',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, t.worker_id, t.state, r.version_id
from (select id, version_id from dag_run where state = 'running' and active > 0 and id > $1 order by id limit $2) r,
lateral (select * from task_instance t where t.run_id = r.id and (t.state = 'running' or ${isStarting('t')}) and t.deadline_at < clock_timestamp()
  and ${LEASE_END} < clock_timestamp() and not ${isLaunched('t.dispatch_id')}) t`,
};

/** What a worker that is gone for certain was running. $1 workers */
export const TASKS_OF_WORKERS: Statement = {
  name: 'tasks_of_workers',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, t.worker_id, t.state, r.version_id
from (select id, version_id from dag_run where state = 'running' and active > 0) r,
lateral (select * from task_instance t where t.run_id = r.id and t.state = 'running' and t.worker_id = any($1::int[])
  and not ${isLaunched('t.dispatch_id')}) t`,
};

/**
 * Dispatches that their worker never got, since the answer that carried them was lost: it lives, and its beats have never named them.
 * $1 most runs
 */
export const UNDELIVERED_TASKS: Statement = {
  name: 'undelivered_tasks',
  text: `
select t.run_id, t.task_index, t.map_index, t.dispatch_id
from (select id from dag_run where state = 'running' and active > 0 order by id limit $1) r,
lateral (select * from task_instance t where t.run_id = r.id and t.state = 'running'
  and ${neverBeaten('t.dispatch_id')} and t.started_at < clock_timestamp() - interval '${DELIVERY_SECONDS} s'
  and not ${isLaunched('t.dispatch_id')}) t
join worker w on w.id = t.worker_id and w.state <> 'offline' and w.last_beat_at > t.started_at + interval '${DELIVERY_SECONDS} s'`,
};

import { announce } from './events.ts';
import { LEASE_SECONDS, REVIEW_SECONDS, type Statement } from './statement.ts';

/** Those of the queues $1 that are not paused. */
const OPEN_QUEUES = `(select q.queue from unnest($1::text[]) q(queue)
      where not exists (select from queue p where p.name = q.queue and p.paused_at is not null)) q`;

/**
 * Chooses ready tasks and locks them and their runs. Runs that somebody else has locked are skipped, never waited for: only LOCK_RUNS
 * waits, so lock orders cannot cross. CLAIM_TASKS, next in the transaction, reads the choice from a setting: without a further round
 * trip, and from rows as they are under the locks. $1 queues $2 limit
 */
export const LOCK_READY: Statement = {
  name: 'lock_ready',
  text: `
with k as materialized (
  select y.run_id, y.task_index, y.map_index, r.version_id, y.place from (
    select z.ctid as place, z.run_id, z.task_index, z.map_index from ${OPEN_QUEUES},
      lateral (select ctid, rank, id, run_id, task_index, map_index from ready_task where queue = q.queue order by rank, id limit $2
        for update skip locked) z
    order by z.rank, z.id limit $2) y,
  lateral (select version_id from dag_run where id = y.run_id for update skip locked) r)
select set_config('millrace.claim', coalesce(json_agg(k), '[]')::text, true) from k`,
};

/**
 * As LOCK_READY, of these rows of the line alone: those that a broker has named. Any that is gone, or whose queue is paused, is left out.
 * $1 queue $2 rank $3 id
 */
export const LOCK_ROWS: Statement = {
  name: 'lock_rows',
  text: `
with k as materialized (
  select y.run_id, y.task_index, y.map_index, r.version_id, y.place from (
    select z.ctid as place, z.run_id, z.task_index, z.map_index
    from (select * from unnest($1::text[], $2::int[], $3::bigint[]) q(queue, rank, id) limit cardinality($3::bigint[])) q,
      lateral (select ctid, run_id, task_index, map_index from ready_task where queue = q.queue and rank = q.rank and id = q.id
        and not exists (select from queue p where p.name = q.queue and p.paused_at is not null) for update skip locked) z) y,
  lateral (select version_id from dag_run where id = y.run_id for update skip locked) r)
select set_config('millrace.claim', coalesce(json_agg(k), '[]')::text, true) from k`,
};

/** Which of these rows are in line. $1 queue $2 rank $3 id */
export const STILL_READY: Statement = {
  name: 'still_ready',
  text: `
select q.n::int as n from (
  select * from unnest($1::text[], $2::int[], $3::bigint[]) with ordinality q(queue, rank, id, n) limit cardinality($3::bigint[])) q
where exists (select from ready_task y where y.queue = q.queue and y.rank = q.rank and y.id = q.id)`,
};

/** `k`: what LOCK_READY or LOCK_ROWS chose, taken out of the line at the time `clk`. */
const CHOSEN = `
with k as materialized (
  select * from (select * from json_to_recordset(current_setting('millrace.claim')::json)
    k(run_id bigint, task_index int, map_index int, version_id bigint, place tid) limit $2) k limit $2),
gone as (delete from ready_task where ctid = any(array(select place from k))),
clk as materialized (select clock_timestamp() ts)`;
const OF_CHOSEN = `from k, clk where t.run_id = k.run_id and t.task_index = k.task_index and t.map_index = k.map_index and t.state = 'queued'
  returning t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, k.version_id`;
const CLAIMED = `
select u.run_id, u.task_index, u.map_index, u.dispatch_id, u.try_number, u.max_tries, u.version_id, (select count(*) from notify) from u`;

/**
 * Hands what was chosen to a worker. The clock is read under the locks, or a run's events could step back in
 * time. $1 worker $2 limit, again: it makes the planner expect few rows (see AS_FEW)
 */
export const CLAIM_TASKS: Statement = {
  name: 'claim_tasks',
  text: `${CHOSEN},
u as (
  update task_instance t set state = 'running', dispatch_id = gen_random_uuid(), try_number = t.try_number + 1, started_at = clk.ts,
    deadline_at = clk.ts + interval '${LEASE_SECONDS} s', worker_id = $1
  ${OF_CHOSEN}),
${announce('running')}
${CLAIMED}`,
};

/**
 * As CLAIM_TASKS, for a cluster: the tasks stay queued, with a dispatch, until START_TASKS says that their code runs. $1 worker $2 limit
 * $3 cluster
 */
export const CLAIM_LAUNCHES: Statement = {
  name: 'claim_launches',
  text: `${CHOSEN},
u as (
  update task_instance t set dispatch_id = gen_random_uuid(), try_number = t.try_number + 1, started_at = null,
    deadline_at = clk.ts + interval '${REVIEW_SECONDS} s', worker_id = $1
  ${OF_CHOSEN}),
l as (
  insert into launch (dispatch_id, run_id, task_index, map_index, try_number, version_id, cluster, worker_id)
  select dispatch_id, run_id, task_index, map_index, try_number, version_id, $3, $1 from u),
${announce('queued')}
${CLAIMED}`,
};

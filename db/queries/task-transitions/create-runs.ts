import { TELL_READY } from './ready-rows.ts';
import { AS_FEW, REVIEW_SECONDS, type Statement } from './statement.ts';

/** The values of a run `q` at the paths that its version `v` names, as JSON; short, for it is in an index. Params are as in paramDefaults. */
const CONCURRENCY_KEY = `(
      select case when length(key) > 200 then left(key, 100) || '…' || encode(sha256(convert_to(key, 'UTF8')), 'hex') else key end from (
        select coalesce(jsonb_agg(jsonb_build_object('params', v.param_defaults || coalesce(q.conf, '{}'), 'conf', coalesce(q.conf, '{}'))
          #> array(select jsonb_array_elements_text(path)) order by at), '[]')::text as key
        from jsonb_array_elements(v.concurrency_key) with ordinality p(path, at)) k)`;

/**
 * Queued runs with their task instances, in an order that is the same for all: who creates the same runs at once waits, and not in a
 * circle. A run that exists already (same key, logical date or idempotency key) is left alone.
 * $1 dag $2 version (null: current) $3 kind $4 run key (null: from id) $5 logical date $6,$7 interval $8 conf $9 by $10 idempotency key
 */
export const CREATE_RUNS: Statement = {
  name: 'create_runs',
  text: `
with q as materialized (
  select q.*, v.task_count, next_run_id() as id, v.max_active_tasks, v.id as version, v.key, c.cancels
  from (select * from unnest($1::bigint[], $2::bigint[], $3::run_kind[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::jsonb[],
    $9::text[], $10::text[]) with ordinality
    q(dag_id, version_id, kind, run_key, logical_date, interval_start, interval_end, conf, triggered_by, idempotency_key, n) ${AS_FEW}) q,
    lateral (select coalesce(q.version_id, d.version_id) as id, coalesce(d.concurrency_strategy like 'cancel%', false) as cancels from dag d where d.id = q.dag_id) c,
    lateral (select v.id, v.task_count, v.max_active_tasks, case when v.concurrency_key is not null then ${CONCURRENCY_KEY} end as key
      from dag_version v where v.id = c.id) v),
r as (
  insert into dag_run (id, dag_id, version_id, state, kind, remaining, max_active_tasks, run_key, logical_date, interval_start, interval_end,
    conf, triggered_by, idempotency_key, concurrency_key, event_seq)
  select id, dag_id, version, 'queued', kind, task_count, max_active_tasks, coalesce(run_key, kind || '__' || id), logical_date, interval_start,
    interval_end, conf, triggered_by, idempotency_key, key, 1 from q order by dag_id, logical_date, run_key, n
  on conflict do nothing returning id, dag_id, version_id, triggered_by),
t as (
  insert into task_instance (run_id, task_index, state, up_total, max_tries)
  select r.id, v.task_index, 'none', v.upstream_count, v.retries + 1 from r,
    lateral (select task_index, upstream_count, retries from dag_version_task v where v.version_id = r.version_id) v),
e as (
  insert into event (run_id, run_seq, body)
  select id, 1, json_strip_nulls(json_build_object('run', 'queued', 'by', triggered_by)) from r),
notify as materialized (
  select pg_notify('millrace_event', '') from (select from r limit 1) x union all select pg_notify('millrace_schedule', '') from (select from r limit 1) x)
select q.n::int as n, q.id, case when q.id in (select id from r) then true else false end as created, q.cancels, (select count(*) from notify) from q`,
};

/** The runs that stood in the way of new ones. $1 dag $2 run key $3 logical date (scheduled runs) $4 idempotency key. Rows: n, id. */
export const FIND_RUNS: Statement = {
  name: 'find_runs',
  text: `
select q.n::int as n, r.id from (
  select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[]) with ordinality q(dag_id, run_key, logical_date, idempotency_key, n) ${AS_FEW}) q,
lateral (
  select id from dag_run where dag_id = q.dag_id and run_key = q.run_key
  union select id from dag_run where dag_id = q.dag_id and logical_date = q.logical_date and kind = 'scheduled'
  union select id from dag_run where dag_id = q.dag_id and idempotency_key = q.idempotency_key
  limit 1) r`,
};

/**
 * Ahead of START_RUNS, in id order: who starts runs of a DAG holds its row. No key update: a new run's foreign key holds a share of
 * the row already, in this transaction and in others that wait here. $1 dags
 */
export const LOCK_DAGS: Statement = {
  name: 'lock_dags',
  text: `select id from dag where id = any($1::bigint[]) order by id for no key update`,
};

/**
 * Queued runs of the DAG `d` that its limit for each key lets start, in their order. A run that takes the place of others stands for all
 * that are older; in turn means first those keys of which least is under way, and of these the one that started last the longest ago.
 */
const RUNS_BY_KEY = `
      select q.id from (
        select id, concurrency_key as key, case d.concurrency_strategy when 'cancel_in_progress' then -id else id end as age,
          row_number() over (partition by concurrency_key order by case d.concurrency_strategy when 'cancel_in_progress' then -id else id end) as n
        from dag_run where dag_id = d.id and state = 'queued') q,
      lateral (select count(*)::int as busy from dag_run r where r.dag_id = d.id and r.concurrency_key = q.key and r.state = 'running') b
      where q.key is null or (q.n <= d.concurrency_limit and q.n + b.busy <= d.concurrency_limit)
      order by case d.concurrency_strategy when 'round_robin' then q.n + b.busy end,
        case d.concurrency_strategy when 'round_robin' then (
          select started_at from dag_run r where r.dag_id = d.id and r.concurrency_key = q.key and r.started_at is not null
          order by r.started_at desc limit 1) end nulls first, q.age`;

/**
 * Chooses queued runs, oldest first, as far as max_active_runs lets them start, and locks them; a paused DAG starts none. Runs of a
 * backfill start whenever it makes them: it counts them itself. Where runs have keys, as many of each as its limit allows, in the order
 * of the DAG's strategy, whoever made them. The DAGs are locked. START_RUNS, next in the transaction, reads the choice from a setting,
 * and rows as they are under the locks.
 * $1 dags $2 most runs to start
 */
export const LOCK_QUEUED_RUNS: Statement = {
  name: 'lock_queued_runs',
  text: `
with k as materialized (
  select r.id from dag d,
    lateral (select least($2, d.max_active_runs - (select count(*)::int from (
      select from dag_run where dag_id = d.id and state = 'running' and kind <> 'backfill' limit d.max_active_runs) a)) as room) m,
    lateral (
      (select id from dag_run where dag_id = d.id and state = 'queued' and kind <> 'backfill' order by id limit greatest(m.room, 0))
      union all (select id from dag_run where dag_id = d.id and state = 'queued' and kind = 'backfill' order by id limit $2)) c,
    lateral (select id from dag_run where id = c.id and state = 'queued' for update) r
  where d.id = any($1::bigint[]) and not d.paused and d.concurrency_limit is null
  union all
  select r.id from dag d,
    lateral (select least($2, d.max_active_runs - (select count(*)::int from (
      select from dag_run where dag_id = d.id and state = 'running' limit d.max_active_runs) a)) as room) m,
    lateral (select id from dag_run where id = any(array(${RUNS_BY_KEY} limit greatest(m.room, 0))) order by id for update) r
  where d.id = any($1::bigint[]) and not d.paused and d.concurrency_limit is not null
  limit $2)
select set_config('millrace.start', coalesce(array_agg(id), '{}')::text, true) from k`,
};

/**
 * Starts what LOCK_QUEUED_RUNS chose. The entry tasks are queued, held for admission, or (empty tasks) succeed at once: those come back
 * as rows, to be counted into their children. So do mapped ones, to be made into their instances. A run that ended and was cleared starts again with what is held back.
 * $1 most runs to start, again: limits, of which none is ever reached, make the planner expect few rows (see AS_FEW)
 */
export const START_RUNS: Statement = {
  name: 'start_runs',
  text: `
with k as materialized (
  select r.id, r.version_id, r.max_active_tasks, v.task_count, v.run_timeout, -1 as map_index,
    exists (select from waiting_task where run_id = r.id) as again
  from (select id from unnest(current_setting('millrace.start')::bigint[]) q(id) limit $1) q,
    lateral (select id, version_id, max_active_tasks from dag_run where id = q.id) r,
    lateral (select task_count, run_timeout from dag_version where id = r.version_id) v),
clk as materialized (select clock_timestamp() ts),
p as materialized (
  select k.id as run_id, v.task_index, k.map_index, v.instant, v.expands, v.queue, v.rank,
    k.task_count <= k.max_active_tasks and v.gate_set = 1 and not v.expands as direct from k,
    lateral (select task_index, instant, expands, queue, rank, gate_set from dag_version_task v where v.version_id = k.version_id and v.entry) v
  limit $1::bigint * 1000000),
u as (
  update task_instance t set
    state = case when p.instant then 'success' when p.direct then 'queued' else 'scheduled' end::task_state,
    queued_at = case when not p.instant then clk.ts end, ended_at = case when p.instant then clk.ts end,
    deadline_at = case when not p.instant then clk.ts + interval '${REVIEW_SECONDS} s' end
  from p, clk where t.run_id = p.run_id and t.task_index = p.task_index and t.map_index = p.map_index and t.state = 'none'
  returning t.run_id, t.task_index, t.map_index, t.state, t.try_number, p.queue, p.rank, p.expands),
s as (
  update dag_run r set started_at = coalesce(r.started_at, clk.ts), timeout_at = clk.ts + g.run_timeout * interval '1 second', end_reason = null, event_seq = r.event_seq + 1,
    active = r.active + g.queued, remaining = r.remaining - g.done,
    state = case when r.remaining = g.done then 'success' else 'running' end::run_state,
    ended_at = case when r.remaining = g.done then clk.ts end
  from clk, (
    select run_id, max(run_timeout) as run_timeout, count(*) filter (where state = 'queued')::int as queued, count(*) filter (where state = 'success')::int as done,
      json_agg(json_build_array(task_index, map_index, state, try_number)) filter (where task_index is not null) as t
    from (select run_id, task_index, map_index, state, try_number, null as run_timeout from u union all select id, null, null, null, null, run_timeout from k) z group by run_id) g
  where r.id = g.run_id returning r.id, r.dag_id, r.version_id, r.event_seq, r.state, g.t),
e as (
  insert into event (run_id, run_seq, at, body)
  select id, event_seq, (select ts from clk), json_strip_nulls(json_build_object('run', state, 't', t)) from s),
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index)
  select queue, rank, run_id, task_index, map_index from u where state = 'queued' order by run_id, task_index returning queue, rank, id),
w as (
  insert into waiting_task (run_id, rank, task_index, map_index) select run_id, rank, task_index, map_index from u
  where state = 'scheduled' and not expands),
notify as materialized (
  select pg_notify('millrace_event', '')::text from (select from s limit 1) x
  union all ${TELL_READY})
select id as run_id, dag_id, version_id, null::int as task_index, state::text as state, false as expands, (select count(*) from notify) as notified from s
union all select run_id, null, null, task_index, state::text, expands, 0 from u where state <> 'queued'
union all select id, null, null, -1, 'scheduled', false, 0 from k where again`,
};

import { endWaits } from './end-waits.ts';
import { isStarting } from './start-tasks.ts';
import { REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/**
 * Writes what editRun computed for one locked run. What ran is fenced, its try recorded; cleared results go.
 * $1 run $2 task $3 map $4 state (removed: the row goes) $5 try and $6 max tries $7 upstreams $8 success $9 failed $10 upstream failed $11 skipped
 * $12 edited by hand (true) or by consequence $13 the row is new $14 remaining $15 active $16 failed leaves $17 run state $18 actor
 * $19 cause of tries cut short $20 runs that tasks started and take along are cancelled with them
 */
export const APPLY_EDIT: Statement = {
  name: 'apply_edit',
  text: `
with f as materialized (
  select $1::bigint as run_id, * from unnest($2::int[], $3::int[], $4::task_state[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[], $10::int[],
    $11::int[], $12::bool[], $13::bool[])
    f(task_index, map_index, state, try_number, max_tries, total, success, failed, upstream_failed, skipped, edited, made) limit cardinality($2::int[])),
clk as materialized (select clock_timestamp() ts),
old as materialized (
  select t.*, f.state as next, f.edited from f, task_instance t where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index),
u as (
  update task_instance t set state = f.state, max_tries = f.max_tries, up_total = f.total, up_success = f.success, up_failed = f.failed,
    up_upstream_failed = f.upstream_failed, up_skipped = f.skipped,
    dispatch_id = case when f.edited then null else t.dispatch_id end,
    started_at = case when f.state in ('none', 'scheduled') then null else t.started_at end,
    ended_at = case when f.state in ('none', 'scheduled') then null when f.state = t.state and not f.edited then t.ended_at
      when f.state in ('success', 'failed', 'skipped', 'upstream_failed', 'cancelled') then clk.ts end,
    deadline_at = case when f.state = 'scheduled' then clk.ts + interval '${REVIEW_SECONDS} s' when f.state = t.state and not f.edited then t.deadline_at end
  from f, clk where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and f.state <> 'removed'),
gone as (
  delete from task_instance t using f where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and f.state = 'removed'),
mk as (
  insert into task_instance (run_id, task_index, map_index, state, try_number, max_tries, up_total, up_success, up_failed, up_upstream_failed, up_skipped,
    ended_at, deadline_at)
  select f.run_id, f.task_index, f.map_index, f.state, f.try_number, f.max_tries, f.total, f.success, f.failed, f.upstream_failed, f.skipped,
    case when f.state in ('success', 'skipped', 'upstream_failed') then clk.ts end,
    case when f.state = 'scheduled' then clk.ts + interval '${REVIEW_SECONDS} s' end
  from f, clk where f.made),
tr as (
  insert into task_try (run_id, task_index, map_index, try_number, dispatch_id, worker_id, queued_at, started_at, ended_at, outcome, cause, message)
  select o.run_id, o.task_index, o.map_index, o.try_number, o.dispatch_id, o.worker_id, o.queued_at, o.started_at, clk.ts,
    case when o.next in ('success', 'failed', 'skipped') then o.next else 'cancelled' end, $19, 'Ended by ' || $18
  from old o, clk where (o.state in ('running', 'deferred') or ${isStarting('o')}) and o.edited),
y as (delete from ready_task d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
wd as (delete from waiting_task d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited and f.state <> 'scheduled'),
m as (delete from task_timer d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
${endWaits('exists (select from f where w.run_id = f.run_id and w.task_index = f.task_index and w.map_index = f.map_index and f.edited)', '$20::bool')},
po as (
  delete from task_poke d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
x as (delete from xcom d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited
  and f.state in ('none', 'scheduled', 'removed')),
wi as (
  insert into waiting_task (run_id, rank, task_index, map_index)
  select $1, p.rank, f.task_index, f.map_index from f, lateral ${taskOf('f', 'rank, expands')} p
  where f.state = 'scheduled' and not (p.expands and f.map_index = -1)
    and not exists (select from old o where o.task_index = f.task_index and o.map_index = f.map_index and o.state = 'scheduled')),
s as (
  update dag_run r set remaining = $14, active = $15, failed_leaves = $16, state = $17::run_state, event_seq = r.event_seq + 1, end_as = null, end_reason = null,
    ended_at = case when $17::run_state in ('success', 'failed', 'cancelled') then clk.ts end
  from clk where r.id = $1 returning r.event_seq, r.state),
e as (
  insert into event (run_id, run_seq, at, body)
  select $1, s.event_seq, clk.ts, json_build_object('run', s.state, 'by', $18::text, 't', (
    select coalesce(json_agg(t order by task_index, map_index), '[]') from (
      select task_index, map_index, json_build_array(task_index, map_index, next, try_number) as t from old where state <> next or edited
      union all select task_index, map_index, json_build_array(task_index, map_index, state, try_number) from f where made) z)) from s, clk),
notify as materialized (
  select pg_notify('millrace_event', '')
  union all select pg_notify('millrace_fenced', q.worker_id::text) from (
    select distinct o.worker_id from old o where o.edited and (o.state = 'running' or ${isStarting('o')}) and o.worker_id is not null) q
  union all select pg_notify('millrace_trigger', '') from (select from orphans limit 1) x)
select (select count(*) from notify)`,
};

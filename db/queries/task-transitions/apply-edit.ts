import { endWaits } from './end-waits.ts';
import { REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/**
 * Writes what editRun computed for one locked run. What ran is fenced, its try recorded; cleared results go.
 * $1 run $2 task $3 state $4 max tries $5 success $6 failed $7 upstream failed $8 skipped $9 edited by hand (true) or by consequence
 * $10 remaining $11 active $12 failed leaves $13 run state $14 actor $15 cause of tries cut short
 */
export const APPLY_EDIT: Statement = {
  name: 'apply_edit',
  text: `
with f as materialized (
  select $1::bigint as run_id, -1 as map_index, * from unnest($2::int[], $3::task_state[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bool[])
    f(task_index, state, max_tries, success, failed, upstream_failed, skipped, edited) limit cardinality($2::int[])),
clk as materialized (select clock_timestamp() ts),
old as materialized (
  select t.*, f.state as next, f.edited from f, task_instance t where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index),
u as (
  update task_instance t set state = f.state, max_tries = f.max_tries, up_success = f.success, up_failed = f.failed,
    up_upstream_failed = f.upstream_failed, up_skipped = f.skipped,
    dispatch_id = case when f.edited then null else t.dispatch_id end,
    started_at = case when f.state in ('none', 'scheduled') then null else t.started_at end,
    ended_at = case when f.state in ('none', 'scheduled') then null when f.state = t.state and not f.edited then t.ended_at
      when f.state in ('success', 'failed', 'skipped', 'upstream_failed') then clk.ts end,
    deadline_at = case when f.state = 'scheduled' then clk.ts + interval '${REVIEW_SECONDS} s' when f.state = t.state and not f.edited then t.deadline_at end
  from f, clk where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index),
tr as (
  insert into task_try (run_id, task_index, map_index, try_number, dispatch_id, worker_id, queued_at, started_at, ended_at, outcome, cause, message)
  select o.run_id, o.task_index, o.map_index, o.try_number, o.dispatch_id, o.worker_id, o.queued_at, o.started_at, clk.ts,
    case when o.next in ('success', 'failed', 'skipped') then o.next else 'cancelled' end, $15, 'Ended by ' || $14
  from old o, clk where o.state in ('running', 'deferred') and o.edited),
y as (delete from ready_task d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
wd as (delete from waiting_task d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited and f.state <> 'scheduled'),
m as (delete from task_timer d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
${endWaits('exists (select from f where w.run_id = f.run_id and w.task_index = f.task_index and w.map_index = f.map_index and f.edited)', false)},
po as (
  delete from task_poke d using f where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and f.edited),
x as (delete from xcom d using f where d.run_id = f.run_id and d.task_index = f.task_index and f.edited and f.state in ('none', 'scheduled')),
wi as (
  insert into waiting_task (run_id, rank, task_index, map_index)
  select $1, p.rank, f.task_index, -1 from f, lateral ${taskOf('f', 'rank')} p
  where f.state = 'scheduled' and not exists (select from old o where o.task_index = f.task_index and o.state = 'scheduled')),
s as (
  update dag_run r set remaining = $10, active = $11, failed_leaves = $12, state = $13::run_state, event_seq = r.event_seq + 1, end_reason = null,
    ended_at = case when $13::run_state in ('success', 'failed') then clk.ts end
  from clk where r.id = $1 returning r.event_seq, r.state),
e as (
  insert into event (run_id, run_seq, at, body)
  select $1, s.event_seq, clk.ts, json_build_object('run', s.state, 'by', $14::text, 't', (
    select coalesce(json_agg(json_build_array(o.task_index, -1, o.next, o.try_number) order by o.task_index), '[]')
    from old o where o.state <> o.next or o.edited)) from s, clk),
notify as materialized (
  select pg_notify('millrace_event', '')
  union all select pg_notify('millrace_fenced', q.worker_id::text) from (
    select distinct o.worker_id from old o where o.edited and o.state = 'running' and o.worker_id is not null) q)
select (select count(*) from notify)`,
};

import type { TaskCause } from '#sdk/states.ts';
import { endWaits } from './end-waits.ts';
import { isStarting } from './start-tasks.ts';
import type { Statement } from './statement.ts';

export interface EndRunRequest {
  runId: number;
  as: 'failed' | 'cancelled';
  /** What becomes of the tasks that have not ended. */
  rest: 'skipped' | 'cancelled';
  actor: string;
  /** Of the tries that are cut short. */
  cause: TaskCause;
  /** One sentence, for people. */
  reason: string;
  /** Only if this is still so when the run is locked: a person may have cleared it meanwhile. */
  provided?: 'overdue' | { failed: { taskIndex: number; mapIndex: number } };
  /** Also what is left to clean up in a run that is ending already. */
  atOnce?: boolean;
}

/** `changed`: what was provided is not so any more. */
export type EndRunResult = 'ended' | 'not_found' | 'finished' | 'changed';

/**
 * Ends one locked run: what runs is fenced, nothing more starts. What deferred tasks wait for ends with them, but for the runs that they
 * started and take along: the triggerer cancels those. $1 run $2 state of the run $3 state of the rest $4 actor $5 cause
 * $6 reason
 */
export const END_RUN: Statement = {
  name: 'end_run',
  text: `
with clk as materialized (select clock_timestamp() ts),
old as materialized (
  select * from task_instance where run_id = $1 and state not in ('success', 'failed', 'skipped', 'upstream_failed', 'cancelled', 'removed')),
u as (
  update task_instance t set state = $3::task_state, dispatch_id = null, deadline_at = null, ended_at = clk.ts from old, clk
  where t.run_id = old.run_id and t.task_index = old.task_index and t.map_index = old.map_index),
tr as (
  insert into task_try (run_id, task_index, map_index, try_number, dispatch_id, worker_id, queued_at, started_at, ended_at, outcome, cause, message)
  select run_id, task_index, map_index, try_number, dispatch_id, worker_id, queued_at, started_at, clk.ts, $3::task_state, $5, $6
  from old, clk where state in ('running', 'deferred') or ${isStarting('old')}),
y as (delete from ready_task where run_id = $1),
w as (delete from waiting_task where run_id = $1),
m as (delete from task_timer where run_id = $1),
${endWaits('w.run_id = $1')},
s as (
  update dag_run r set state = $2::run_state, ended_at = clk.ts, active = 0, remaining = 0, event_seq = r.event_seq + 1, end_reason = $6 from clk
  where r.id = $1 returning r.event_seq),
e as (
  insert into event (run_id, run_seq, at, body)
  select $1, s.event_seq, clk.ts, json_build_object('run', $2::run_state, 'by', $4::text, 'why', $5::text, 't',
    coalesce((select json_agg(json_build_array(task_index, map_index, $3::task_state, try_number, $5::text)) from old), '[]')) from s, clk),
notify as materialized (
  select pg_notify('millrace_event', '') union all select pg_notify('millrace_schedule', '')
  union all select pg_notify('millrace_fenced', q.worker_id::text) from (select distinct worker_id from old where (state = 'running' or ${isStarting('old')}) and worker_id is not null) q
  union all select pg_notify('millrace_trigger', '') from (select from orphans limit 1) x)
select (select count(*) from notify)`,
};

/** What a locked run becomes when what still runs of it has ended. $1 run $2 state $3 why */
export const SET_END: Statement = {
  name: 'set_end',
  text: `update dag_run set end_as = $2::run_state, end_reason = $3 where id = $1`,
};

/** State and pending end of a locked run. $1 run */
export const READ_END: Statement = { name: 'read_end', text: `select state, end_as from dag_run where id = $1` };

export const OVERDUE_RUN: Statement = {
  name: 'overdue_run',
  text: `select from (select state, timeout_at from dag_run where id = $1 offset 0) r where state = 'running' and timeout_at <= clock_timestamp()`,
};

/** $1 run $2 task $3 map */
export const FAILED_TASK: Statement = {
  name: 'failed_task',
  text: `select from task_instance where run_id = $1 and task_index = $2 and map_index = $3 and state = 'failed'`,
};

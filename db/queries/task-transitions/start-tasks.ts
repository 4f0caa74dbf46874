import { announce } from './events.ts';
import { AS_FEW, LEASE_SECONDS, type Statement } from './statement.ts';

/** Of an instance `t` that is queued and has a dispatch: a cluster is to run it, and its code has not begun. */
export const isStarting = (t: string): string => `(${t}.state = 'queued' and ${t}.dispatch_id is not null)`;

/**
 * Whoever launched it looks after it on the cluster: silence means nothing, and a launcher that is gone is replaced. Of an instance's
 * dispatch.
 */
export const isLaunched = (dispatch: string): string =>
  `exists (select from launch l where l.dispatch_id = ${dispatch})`;

const FOUND = `
with f as materialized (
  select * from (select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::timestamptz[]) with ordinality
    f(run_id, task_index, map_index, dispatch_id, started_at, n) ${AS_FEW}) f),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'running', started_at = case when f.started_at is not null then greatest(least(f.started_at, clk.ts), t.queued_at) end,
    deadline_at = clk.ts + interval '${LEASE_SECONDS} s'
  from f, clk
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.dispatch_id = f.dispatch_id and t.state = 'queued'
  returning f.n, t.run_id, t.task_index, t.map_index, t.try_number)`;

/** The code of these dispatches runs, since the time that the cluster says. Runs locked. $1 run $2 task $3 map $4 dispatch $5 since */
export const START_TASKS: Statement = {
  name: 'start_tasks',
  text: `${FOUND},
${announce('running')}
select count(*)::int as started, (select count(*) from notify) from u`,
};

/**
 * Of these dispatches something else is to be shown, while they are starting: an event says that they are queued, as before, so that whoever
 * follows the run looks again. Runs locked. $1 run $2 task $3 map $4 dispatch
 */
export const TELL_LAUNCHES: Statement = {
  name: 'tell_launches',
  text: `
with f as materialized (
  select * from (select distinct * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) f(run_id, task_index, map_index, dispatch_id) ${AS_FEW}) f),
clk as materialized (select clock_timestamp() ts),
u as (
  select t.run_id, t.task_index, t.map_index, t.try_number from f join task_instance t using (run_id, task_index, map_index)
  where t.dispatch_id = f.dispatch_id and t.state = 'queued'),
${announce('queued')}
select count(*)::int as told, (select count(*) from notify) from u`,
};

/**
 * Ahead of the end of such dispatches whose code was never seen to run: they run for the rest of the transaction, so that finishTasks needs to
 * know nothing of clusters. No event: nobody ever sees it. Parameters as of START_TASKS; the time may be null.
 */
export const START_TO_END: Statement = {
  name: 'start_to_end',
  text: `${FOUND} select count(*)::int as started from u`,
};

import { decideSql, ruleCode, TEARDOWN_RULE } from '#db/engine/trigger-rules.ts';
import { edgeSource, rowSource } from './finish-parameters.ts';
import { LEASE_END } from './keep-alive.ts';
import { TELL_READY } from './ready-rows.ts';
import { LEASE_SECONDS, REVIEW_SECONDS, type Statement } from './statement.ts';

/** How a child that becomes ready goes on; sent with each edge. */
export const CHILD_MODE = {
  /** Held in waiting_task until a limit lets it pass. */
  admit: 0,
  /** Queued at once. */
  queue: 1,
  /** Set running for the worker that reported the parent: no queue, no claim. */
  handOver: 2,
  /** `empty`: succeeds at once. */
  instant: 3,
  /** The engine makes its instances: scheduled, but nowhere in line. */
  expand: 4,
  /** Skipped, whatever its rule says: a branch left it aside. */
  skip: 5,
  /** Taken as if an upstream had failed, whatever its rule says. */
  fail: 6,
} as const;

/** `kind` of a result row. */
export const FINISH_ROW = { accepted: 0, changed: 1, runEnded: 2 } as const;

/** What a batch may touch. A part left out costs nothing: opening its tables is a third of a small flush. */
export interface FinishParts {
  /** Nothing but first successes, whose children all wait for the success of all: no rule needs to be asked, no end to be told apart. */
  plain: boolean;
  /** Some edges lead to one of many instances, look at a child without counting, or settle it whatever its rule says. Not with `plain`. */
  special: boolean;
  xcoms: boolean;
  /** Results that lie in the artifact store. */
  artifacts: boolean;
  retries: boolean;
  /** Among them are some on top of the tasks' own. */
  extra: boolean;
  /** Children may go to the ready table. */
  ready: boolean;
  /** Children may be held for admission. */
  waiting: boolean;
}

/**
 * Records finished tries and everything that follows from them, in one statement: state, try history, results, the downstreams'
 * counters, the tasks that became ready, the run's end, the events. The runs are locked (LOCK_RUNS).
 *
 * Rows come in as parallel arrays (finish-parameters.ts). A row with a dispatch is a report, accepted only if it equals the current one
 * of a running instance; one without is an instance already settled in this transaction, whose children are still to be counted.
 * `map_index` travels as a column, never as a constant: with a constant the planner may walk the whole index instead of looking keys up.
 *
 * No instance may be both a row and the child of a row: the caller puts such pairs into two flushes.
 */
export function finishTasks(parts: FinishParts): Statement {
  const name = ['finish_tasks', ...Object.entries(parts).flatMap(([part, wanted]) => (wanted ? [part] : []))].join('_');
  return (statements[name] ??= { name, text: finishText(parts) });
}

const statements: { [name: string]: Statement } = {};

const IS_CURRENT = `t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index
    and t.dispatch_id = f.dispatch_id and t.state = 'running'`;
const RECORDED = `f.n, t.run_id, t.task_index, t.map_index, t.state, t.try_number, t.dispatch_id, t.queued_at, t.started_at, t.deadline_at,
    t.worker_id as ran_on, f.worker_id, f.lo, f.hi, f.exit_code, f.evidence, f.log_bytes`;

const RECORD_SUCCESSES = (parts: FinishParts): string => `
with clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'success', ended_at = clk.ts, deadline_at = null
  from ${rowSource(parts)}, clk
  where ${IS_CURRENT}
  returning ${RECORDED}, 'ok' as cause, null::text as message, true as is_over, false as is_failure${part(parts.xcoms, ', f.xcoms')}${part(parts.artifacts, ', f.artifacts')}),`;

const RECORD_ENDS = (parts: FinishParts): string => `
with f as materialized (select * from ${rowSource(parts)}),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = f.outcome,
    ended_at = case when f.delay is null then clk.ts end,
    deadline_at = clk.ts + f.delay * interval '1 second'${part(parts.extra, ', max_tries = t.max_tries + f.extra::int')}
  from f, clk
  where f.dispatch_id is not null and ${IS_CURRENT} and (not f.expired or ${LEASE_END} < clk.ts)
  returning ${RECORDED}, f.cause, f.message, f.delay is null as is_over,
    f.delay is null and f.leaf and f.outcome in ('failed', 'cancelled') as is_failure${part(parts.xcoms, ', f.xcoms')}${part(parts.artifacts, ', f.artifacts')}${part(parts.extra, ', f.extra, t.max_tries')}),`;

const KEEP_TRIES = `
tr as (
  insert into task_try (run_id, task_index, map_index, try_number, dispatch_id, worker_id, queued_at, started_at, ended_at, outcome,
    cause, exit_code, message, evidence, log_bytes)
  select run_id, task_index, map_index, try_number, dispatch_id, ran_on, queued_at, started_at, (select ts from clk),
    case when is_over then state else 'failed' end, cause, exit_code, message, evidence, coalesce(log_bytes, 0) from u),`;

const STORE_XCOMS = `
xc as (
  insert into xcom (run_id, task_index, map_index, key, value)
  select u.run_id, u.task_index, u.map_index, k.key, k.value from u, lateral jsonb_each(u.xcoms) k where u.xcoms is not null
  on conflict (run_id, task_index, map_index, key) do update set value = excluded.value, artifact = null, bytes = null),`;

const STORE_ARTIFACTS = `
xa as (
  insert into xcom (run_id, task_index, map_index, key, value, artifact, bytes)
  select u.run_id, u.task_index, u.map_index, k.key, k.value -> 'preview', k.value ->> 'hash', (k.value ->> 'bytes')::bigint
  from u, lateral jsonb_each(u.artifacts) k where u.artifacts is not null
  on conflict (run_id, task_index, map_index, key) do update set value = excluded.value, artifact = excluded.artifact, bytes = excluded.bytes),`;

const SET_TIMERS = `
tm as (
  insert into task_timer (run_id, task_index, map_index, due_at)
  select run_id, task_index, map_index, deadline_at from u where not is_over
  on conflict (run_id, task_index, map_index) do update set due_at = excluded.due_at returning 1),`;

/** Counted apart: max_tries says how many tries a task has left, not what for. */
const COUNT_EXTRA = `
xt as (
  insert into task_relaunch as l (run_id, task_index, map_index, try_number, count, extra, extra_of)
  select run_id, task_index, map_index, try_number, 0, 1, max_tries from u where extra
  on conflict (run_id, task_index, map_index) do update
    set extra = case when l.extra_of = excluded.extra_of - 1 then l.extra + 1 else 1 end, extra_of = excluded.extra_of),`;

/** What a child that may run now becomes. */
const NEXT_STATE = `case d.mode when ${CHILD_MODE.handOver} then 'running' when ${CHILD_MODE.instant} then 'success'
        when ${CHILD_MODE.queue} then 'queued' else 'scheduled' end`;
const CHILD_KEY = 't.run_id = d.run_id and t.task_index = d.child and t.map_index = d.map_index';

/** Where a child would stand in line. */
const PLACE_OF_CHILD = ({ ready, waiting }: FinishParts): string =>
  part(ready || waiting, ', max(x.rank) as rank') + part(ready, ', max(x.queue) as queue');
const PLACE = ({ ready, waiting }: FinishParts, from: string): string =>
  part(ready || waiting, `, ${from}.rank`) + part(ready, `, ${from}.queue`);

const COUNT_SUCCESSES = (parts: FinishParts): string => `
d as materialized (
  select u.run_id, x.child, -1 as map_index, max(x.mode) as mode, max(case when x.mode = ${CHILD_MODE.handOver} then u.worker_id end) as worker_id,
    count(*)::int as success${PLACE_OF_CHILD(parts)}
  from u, lateral ${edgeSource(parts, 'u')} group by u.run_id, x.child),
o as materialized (
  select d.run_id, d.child, d.map_index, false as leaf, d.worker_id, c.up_success + d.success as success${PLACE(parts, 'd')},
    case when c.state = 'none' and c.up_success + d.success = c.up_total then ${NEXT_STATE} end::task_state as next
  from d, lateral (select t.state, t.up_success, t.up_total from task_instance t where ${CHILD_KEY}) c),`;

const SETTLED = `
settled as (
  select run_id, map_index, state, lo, hi, worker_id from u where is_over
  union all select run_id, map_index, outcome, lo, hi, worker_id from f where dispatch_id is null),`;

const COUNT_ENDS = (parts: FinishParts): string => `${SETTLED}
d as materialized (
  select s.run_id, x.child, -1 as map_index, x.rule, max(x.mode) as mode, bool_or(x.leaf) as leaf, max(case when x.mode = ${CHILD_MODE.handOver} then s.worker_id end) as worker_id,
    count(*) filter (where s.state = 'success')::int as success, count(*) filter (where s.state in ('failed', 'cancelled'))::int as failed,
    count(*) filter (where s.state = 'upstream_failed')::int as upstream_failed, count(*) filter (where s.state = 'skipped')::int as skipped${PLACE_OF_CHILD(parts)}
  from settled s, lateral ${edgeSource(parts, 's')}
  group by s.run_id, x.child, x.rule),
o as materialized (
  select d.run_id, d.child, d.map_index, d.leaf, d.worker_id, c.success, c.failed, c.upstream_failed, c.skipped${PLACE(parts, 'd')},
    case when c.verdict <> 'ready' then c.verdict when c.verdict = 'ready' then ${NEXT_STATE} end::task_state as next
  from d, lateral (
    select v.*, case when v.state = 'none' then ${decideSql} end as verdict from (
      select t.state, d.rule, t.up_total as total, t.up_success + d.success as success, t.up_failed + d.failed as failed,
        t.up_upstream_failed + d.upstream_failed as upstream_failed, t.up_skipped + d.skipped as skipped
      from task_instance t where ${CHILD_KEY}) v) c),`;

/**
 * As COUNT_ENDS, for edges of every kind. A task of a mapped group whose instances are still to be made (its one row has map index -1)
 * never becomes ready; a mapped task that does is made into its instances by the engine, in this transaction.
 */
const COUNT_SPECIAL_ENDS = (parts: FinishParts): string => `${SETTLED}
d as materialized (
  select s.run_id, x.child, m.map_index, x.rule, max(x.mode) as mode, bool_or(x.leaf) as leaf, bool_or(x.scope > 0 and x.mode <> ${CHILD_MODE.expand}) as in_group,
    max(case when x.mode = ${CHILD_MODE.handOver} then s.worker_id end) as worker_id,
    count(*) filter (where x.counts and not x.other and s.state = 'success')::int as success,
    count(*) filter (where x.counts and not x.other and (s.state in ('failed', 'cancelled')
      or s.state = 'upstream_failed' and x.rule = ${ruleCode(TEARDOWN_RULE)}))::int as failed,
    count(*) filter (where x.counts and (x.other or s.state = 'upstream_failed' and x.rule <> ${ruleCode(TEARDOWN_RULE)}))::int as upstream_failed,
    count(*) filter (where x.counts and not x.other and s.state = 'skipped')::int as skipped${PLACE_OF_CHILD(parts)}
  from settled s, lateral ${edgeSource(parts, 's')}, lateral (
    select case x.scope when 1 then s.map_index else -1 end as map_index where x.scope < 2
    union all select t.map_index from task_instance t where x.scope = 2 and t.run_id = s.run_id and t.task_index = x.child) m
  group by s.run_id, x.child, m.map_index, x.rule),
o as materialized (
  select d.run_id, d.child, d.map_index, d.leaf, d.worker_id, d.mode, c.success, c.failed, c.upstream_failed, c.skipped${PLACE(parts, 'd')},
    case when c.verdict <> 'ready' then c.verdict when c.verdict = 'ready' and not (d.in_group and d.map_index = -1) then ${NEXT_STATE} end::task_state as next
  from d, lateral (
    select v.*, case when v.state = 'none' then
        case d.mode when ${CHILD_MODE.skip} then 'skipped' when ${CHILD_MODE.fail} then 'upstream_failed' else ${decideSql} end end as verdict from (
      select t.state, d.rule, t.up_total as total, t.up_success + d.success as success, t.up_failed + d.failed as failed,
        t.up_upstream_failed + d.upstream_failed as upstream_failed, t.up_skipped + d.skipped as skipped
      from task_instance t where ${CHILD_KEY}) v) c),`;

const MOVE_CHILDREN_ON = (parts: FinishParts): string => `
c as (
  update task_instance t set up_success = o.success,
    ${part(!parts.plain, 'up_failed = o.failed, up_upstream_failed = o.upstream_failed, up_skipped = o.skipped,')}
    ${part(!parts.plain, `ended_at = case when o.next in ('success', 'skipped', 'upstream_failed') then clk.ts else t.ended_at end,`)}
    state = coalesce(o.next, t.state),
    dispatch_id = case when o.next = 'running' then gen_random_uuid() when o.next = 'queued' then null else t.dispatch_id end,
    try_number = case when o.next = 'running' then t.try_number + 1 else t.try_number end,
    worker_id = case when o.next = 'running' then o.worker_id else t.worker_id end,
    queued_at = case when o.next in ('running', 'queued') then clk.ts else t.queued_at end,
    started_at = case when o.next = 'running' then clk.ts else t.started_at end,
    deadline_at = case when o.next = 'running' then clk.ts + interval '${LEASE_SECONDS} s'
      when o.next in ('queued', 'scheduled') then clk.ts + interval '${REVIEW_SECONDS} s' else t.deadline_at end
  from o, clk where t.run_id = o.run_id and t.task_index = o.child and t.map_index = o.map_index
  returning t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number, t.max_tries, t.worker_id, o.next, o.leaf${part(parts.special, ', o.mode')}${PLACE(parts, 'o')}),`;

/** Why a child was settled without its rule being asked. */
const FORCED_CAUSE = `case mode when ${CHILD_MODE.skip} then 'left_aside' when ${CHILD_MODE.fail} then 'setup_failed' end`;

const MOVE_RUNS_ON = ({ special }: FinishParts): string => `
s as (
  update dag_run r set remaining = r.remaining - g.done, active = r.active + g.started, failed_leaves = r.failed_leaves + g.failed_leaves,
    event_seq = r.event_seq + 1,
    state = case when r.remaining > g.done then r.state when r.end_as is not null then r.end_as
      when r.failed_leaves + g.failed_leaves > 0 then 'failed' else 'success' end,
    ended_at = case when r.remaining = g.done then (select ts from clk) end
  from (
    select run_id, sum(done)::int as done, sum(started)::int as started, sum(failed_leaf)::int as failed_leaves, json_agg(t) as t
    from (
      select run_id, is_over::int as done, -1 as started, is_failure::int as failed_leaf,
        json_build_array(task_index, map_index, state, try_number, cause) as t from u
      union all
      select run_id, (next in ('success', 'skipped', 'upstream_failed'))::int, (next in ('queued', 'running'))::int,
        (leaf and next = 'upstream_failed')::int, json_build_array(task_index, map_index, next, try_number${part(special, `, ${FORCED_CAUSE}`)}) from c where next is not null
    ) z group by run_id) g
  where r.id = g.run_id
  returning r.id, r.dag_id, r.version_id, r.event_seq, r.state, r.remaining, g.t),
e as (
  insert into event (run_id, run_seq, at, body)
  select id, event_seq, (select ts from clk),
    case when remaining = 0 then json_build_object('t', t, 'run', state) else json_build_object('t', t) end from s),`;

const QUEUE_READY = `
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index)
  select queue, rank, run_id, task_index, map_index from c where next = 'queued' returning queue, rank, id),`;

const HOLD_WAITING = ({ special }: FinishParts): string => `
w as (
  insert into waiting_task (run_id, rank, task_index, map_index)
  select run_id, rank, task_index, map_index from c where next = 'scheduled'${part(special, ` and not (mode = ${CHILD_MODE.expand} and map_index = -1)`)}),`;

const NOTIFY = ({ ready, retries }: FinishParts): string => `
notify as materialized (
  select pg_notify('millrace_event', '')::text from (select from s limit 1) x
  ${part(ready, `union all ${TELL_READY}`)}
  union all select pg_notify('millrace_schedule', '')::text from (${part(retries, 'select from tm union all')} select from s where remaining = 0 limit 1) x)`;

const RESULT_ROWS = `
select ${FINISH_ROW.accepted} as kind, n::bigint as a, 0 as task_index, 0 as map_index, null::uuid as dispatch_id, 0 as try_number, 0 as max_tries,
  0 as worker_id, null::task_state as state, (select count(*) from notify) as extra from u
union all select ${FINISH_ROW.changed}, run_id, task_index, map_index, dispatch_id, try_number, max_tries, worker_id, next, 0 from c where next is not null
union all select ${FINISH_ROW.runEnded}, id, 0, 0, null, 0, 0, 0, null, dag_id from s where remaining = 0`;

const part = (wanted: boolean, text: string): string => (wanted ? text : '');

const finishText = (parts: FinishParts): string =>
  [
    parts.plain ? RECORD_SUCCESSES(parts) : RECORD_ENDS(parts),
    KEEP_TRIES,
    part(parts.xcoms, STORE_XCOMS),
    part(parts.artifacts, STORE_ARTIFACTS),
    part(parts.retries, SET_TIMERS),
    part(parts.extra, COUNT_EXTRA),
    parts.plain ? COUNT_SUCCESSES(parts) : parts.special ? COUNT_SPECIAL_ENDS(parts) : COUNT_ENDS(parts),
    MOVE_CHILDREN_ON(parts),
    MOVE_RUNS_ON(parts),
    part(parts.ready, QUEUE_READY),
    part(parts.waiting, HOLD_WAITING(parts)),
    NOTIFY(parts),
    RESULT_ROWS,
  ].join('');

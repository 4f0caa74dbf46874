/** Admission through gates: what the decider (db/engine/admission.ts) is told, and what it decided. The runs are locked. */
import { events } from './events.ts';
import { TELL_READY } from './ready-rows.ts';
import { AS_FEW, REVIEW_SECONDS, taskOf, type Statement } from './statement.ts';

/** A held slot `h` whose instance is in state `t.state` is rightly held. */
const HOLDS = `(t.state in ('queued', 'running') or (t.state = 'deferred' and h.gate like 'pool:%'
    and exists (select from pool p where p.name = substr(h.gate, 6) and p.include_deferred)))`;

/** Gives back what instances no longer hold. $1 run $2 task $3 map. Rows: gate. LOCK_GATES must follow before the commit. */
export const RELEASE_SLOTS: Statement = {
  name: 'release_slots',
  text: `
with f as materialized (
  select f.*, t.state from (select * from unnest($1::bigint[], $2::int[], $3::int[]) f(run_id, task_index, map_index) ${AS_FEW}) f
  left join lateral (
    select state from task_instance t where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index) t on true),
gone as (
  delete from held_slot h using f t
  where h.run_id = t.run_id and h.task_index = t.task_index and h.map_index = t.map_index and (t.state is null or not ${HOLDS})
  returning h.gate)
select distinct gate from gone`,
};

/** As RELEASE_SLOTS, for all instances of runs, and for their places before gates. $1 runs. Rows: gate. */
export const RELEASE_SLOTS_OF_RUNS: Statement = {
  name: 'release_slots_of_runs',
  text: `
with f as materialized (
  select h.gate, h.run_id, h.task_index, h.map_index, t.state from (select * from unnest($1::bigint[]) q(id) ${AS_FEW}) q,
    lateral (select * from held_slot h where h.run_id = q.id) h
  left join lateral (
    select state from task_instance t where t.run_id = h.run_id and t.task_index = h.task_index and t.map_index = h.map_index) t on true),
gone as (
  delete from held_slot h using f t
  where h.run_id = t.run_id and h.task_index = t.task_index and h.map_index = t.map_index and h.gate = t.gate and (t.state is null or not ${HOLDS})
  returning h.gate),
left_gate as (
  delete from waiting_gate g where g.run_id = any($1::bigint[])
    and not exists (select from waiting_task w where w.run_id = g.run_id and w.gate_set = g.gate_set)
  returning g.gate)
select gate from gone union select gate from left_gate`,
};

/**
 * Who changes what is free at a gate, or who waits there, holds its lock until the commit: after the runs' locks, all in one order. What
 * is counted by the statements that follow is then the truth. $1 gates
 */
export const LOCK_GATES: Statement = {
  name: 'lock_gates',
  text: `select pg_advisory_xact_lock(k) from (
  select distinct hashtextextended(g, 7264002) as k from unnest($1::text[]) g order by k) q`,
};

/** Finds the gate sets of what has come to wait. $1 runs */
export const CLASSIFY_WAITING: Statement = {
  name: 'classify_waiting',
  text: `
with f as materialized (
  select w.ctid as place, w.run_id, w.task_index from (select * from unnest($1::bigint[]) q(id) ${AS_FEW}) q,
    lateral (select ctid, run_id, task_index from waiting_task where run_id = q.id and gate_set = 0) w)
update waiting_task w set gate_set = p.gate_set from f, lateral ${taskOf('f', 'gate_set')} p where w.ctid = f.place`,
};

/**
 * The sets that may have something to admit: those before no gate, before one of $2, or with a better task than the one that they were
 * put there for. $1 runs $2 gates $3 most tasks of each. Rows: run_id, gate_set, room, registered, tasks ([rank, task, map], best first).
 */
export const WAITING_SETS: Statement = {
  name: 'waiting_sets',
  text: `
with recursive r as materialized (
  select r.id, r.room from (select * from unnest($1::bigint[]) q(id) ${AS_FEW}) q,
    lateral (select id, case when state = 'running' then greatest(max_active_tasks - active, 0) else 0 end as room from dag_run where id = q.id) r),
s as (
  select r.id as run_id, (select min(gate_set) from waiting_task where run_id = r.id and gate_set > 0) as gate_set from r
  union all
  select s.run_id, (select min(gate_set) from waiting_task where run_id = s.run_id and gate_set > s.gate_set) from s where s.gate_set is not null)
select s.run_id, s.gate_set, r.room, g.gate is not null as registered, m.tasks
from s join r on r.id = s.run_id
left join lateral (select gate, rank from waiting_gate g where g.run_id = s.run_id and g.gate_set = s.gate_set) g on true,
lateral (select json_agg(json_build_array(rank, task_index, map_index)) as tasks from (
  select rank, task_index, map_index from waiting_task w where w.run_id = s.run_id and w.gate_set = s.gate_set
  order by rank, task_index, map_index limit greatest(1, least(r.room + 1, $3))) w) m
where s.gate_set is not null and (g.gate is null or g.gate = any($2::text[])
  or g.rank > (select w.rank from waiting_task w where w.run_id = s.run_id and w.gate_set = s.gate_set order by w.rank limit 1))`,
};

/** What each gate has, and who waits there first beside the sets that are asked now. $1 gates $2 runs $3 their sets */
export const GATE_STATE: Statement = {
  name: 'gate_state',
  text: `
select q.gate, (select coalesce(sum(slots), 0)::int from held_slot h where h.gate = q.gate) as held,
  (select p.slots from pool p where p.name = case when q.gate like 'pool:%' then substr(q.gate, 6) when q.gate like 'nopool:%' then substr(q.gate, 8) end) as pool_slots,
  b.tokens, extract(epoch from b.at)::float8 * 1000 as at, extract(epoch from clock_timestamp())::float8 * 1000 as now, n.next
from unnest($1::text[]) q(gate)
left join rate_bucket b on b.gate = q.gate
left join lateral (
  select json_build_object('rank', rank, 'runId', run_id, 'slots', slots, 'capacity', capacity) as next from waiting_gate w
  where w.gate = q.gate and not exists (
    select from unnest($2::bigint[], $3::int[]) x(run_id, gate_set) where x.run_id = w.run_id and x.gate_set = w.gate_set)
  order by rank, run_id, gate_set limit 1) n on true`,
};

/** Queues what was admitted. $1 run $2 task $3 map $4 set $5 rank $6,$7 its slice of what it holds: $8 gate $9 slots */
export const ADMIT_GATED: Statement = {
  name: 'admit_gated',
  text: `
with k as materialized (
  select k.*, r.version_id from (select * from unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[])
    k(run_id, task_index, map_index, gate_set, rank, lo, hi) ${AS_FEW}) k,
    lateral (select version_id from dag_run where id = k.run_id) r),
gone as (
  delete from waiting_task w using k where w.run_id = k.run_id and w.gate_set = k.gate_set and w.rank = k.rank
    and w.task_index = k.task_index and w.map_index = k.map_index),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'queued', dispatch_id = null, queued_at = clk.ts, deadline_at = clk.ts + interval '${REVIEW_SECONDS} s'
  from k, clk where t.run_id = k.run_id and t.task_index = k.task_index and t.map_index = k.map_index and t.state = 'scheduled'
  returning t.run_id, t.task_index, t.map_index, t.try_number, k.rank, k.version_id, k.lo, k.hi),
h as (
  insert into held_slot (gate, run_id, task_index, map_index, slots)
  select x.gate, u.run_id, u.task_index, u.map_index, x.slots from u, lateral unnest(($8::text[])[u.lo:u.hi], ($9::int[])[u.lo:u.hi]) x(gate, slots)
  on conflict do nothing),
${events('queued', '+')},
y as (
  insert into ready_task (queue, rank, run_id, task_index, map_index)
  select p.queue, u.rank, u.run_id, u.task_index, u.map_index from u,
    lateral ${taskOf('u', 'queue')} p
  order by u.run_id, u.rank, u.task_index returning queue, rank, id),
notify as materialized (
  select pg_notify('millrace_event', '')::text from (select from s limit 1) x
  union all ${TELL_READY})
select (select count(*)::int from u) as admitted, (select count(*) from notify) as notified`,
};

/**
 * Who stands before which gate from now on. $1 run $2 set $3 gate $4 rank $5 slots $6 capacity; no longer: $7 run $8 set;
 * rates: $9 gate $10 tokens $11 seconds until full $12 seconds until the next token is waited for, null: it is not
 */
export const PLACE_WAITING: Statement = {
  name: 'place_waiting',
  text: `
with w as (
  insert into waiting_gate (run_id, gate_set, gate, rank, slots, capacity)
  select * from unnest($1::bigint[], $2::int[], $3::text[], $4::int[], $5::int[], $6::int[])
  on conflict (run_id, gate_set) do update set gate = excluded.gate, rank = excluded.rank, slots = excluded.slots, capacity = excluded.capacity),
gone as (
  delete from waiting_gate g using unnest($7::bigint[], $8::int[]) x(run_id, gate_set) where g.run_id = x.run_id and g.gate_set = x.gate_set),
q as materialized (
  select gate, tokens, full_in, due_in, clock_timestamp() as ts from unnest($9::text[], $10::float8[], $11::float8[], $12::float8[]) q(gate, tokens, full_in, due_in)),
b as (
  insert into rate_bucket (gate, tokens, at, full_at) select gate, tokens, ts, ts + full_in * interval '1 second' from q order by gate
  on conflict (gate) do update set tokens = excluded.tokens, at = excluded.at, full_at = excluded.full_at),
t as (
  insert into gate_timer (gate, due_at) select gate, ts + due_in * interval '1 second' from q where due_in is not null order by gate
  on conflict (gate) do update set due_at = excluded.due_at returning 1),
d as (delete from gate_timer m using q where m.gate = q.gate and q.due_in is null)
select pg_notify('millrace_schedule', '') from (select from t limit 1) x`,
};

/** Runs that wait at gates, first ones first. $1 gates $2 most of each. Rows: run_id, gate. */
export const WAITING_RUNS: Statement = {
  name: 'waiting_runs',
  text: `
select w.run_id, q.gate from unnest($1::text[], $2::int[]) q(gate, most),
  lateral (select run_id from waiting_gate w where w.gate = q.gate order by rank, run_id, gate_set limit q.most) w`,
};

/** Takes the timers of rates that have a token again. $1 most. Rows: gate. */
export const DUE_GATES: Statement = {
  name: 'due_gates',
  text: `delete from gate_timer where gate in (
  select gate from gate_timer where due_at <= clock_timestamp() order by due_at limit $1 for update skip locked) returning gate`,
};

/** When the next rate has a token again: milliseconds from now, or null. */
export const NEXT_GATE_TIMER: Statement = {
  name: 'next_gate_timer',
  text: `select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::float8 as ms from gate_timer`,
};

/** Gates that have room for their first, or whose timer is gone: nobody came after a release. $1 most. Rows: gate. */
export const STALLED_GATES: Statement = {
  name: 'stalled_gates',
  text: `
select w.gate from (select distinct on (gate) gate, slots, capacity from waiting_gate order by gate, rank, run_id, gate_set) w
left join pool p on p.name = case when w.gate like 'pool:%' then substr(w.gate, 6) when w.gate like 'nopool:%' then substr(w.gate, 8) end
where case when w.gate like 'rate:%' then not exists (select from gate_timer m where m.gate = w.gate)
  when w.gate like 'nopool:%' then p.slots >= w.slots
  when w.gate like 'pool:%' then p.slots is null or w.slots > p.slots
    or p.slots >= w.slots + (select coalesce(sum(slots), 0) from held_slot h where h.gate = w.gate)
  else w.capacity >= w.slots + (select coalesce(sum(slots), 0) from held_slot h where h.gate = w.gate) end
limit $1`,
};

/** Runs that hold what they should not, or stand before a gate with nothing. Rows: id. */
export const MISHELD_RUNS: Statement = {
  name: 'misheld_runs',
  text: `
select h.run_id as id from held_slot h
left join lateral (
  select state from task_instance t where t.run_id = h.run_id and t.task_index = h.task_index and t.map_index = h.map_index) t on true
where t.state is null or not ${HOLDS}
union select g.run_id from waiting_gate g
where not exists (select from waiting_task w where w.run_id = g.run_id and w.gate_set = g.gate_set)
limit $1`,
};

/** Buckets that have filled up say no more than none. */
export const FORGET_RATES: Statement = {
  name: 'forget_rates',
  text: `delete from rate_bucket where full_at < clock_timestamp() - interval '1 minute'`,
};

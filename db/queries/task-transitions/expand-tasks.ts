import { events } from './events.ts';
import { AS_FEW, LEASE_SECONDS, REVIEW_SECONDS, type Statement } from './statement.ts';

/** Results that maps run over. $1 run $2 task $3 key. Rows: n, map_index, value, in the order of the instances. */
export const LOAD_MAP_SOURCES: Statement = {
  name: 'load_map_sources',
  text: `
select f.n::int as n, x.map_index, x.value from (
  select * from unnest($1::bigint[], $2::int[], $3::text[]) with ordinality f(run_id, task_index, key, n) ${AS_FEW}) f,
lateral (select map_index, xcom_json(value, run_id, artifact) as value from xcom where run_id = f.run_id and task_index = f.task_index and key = f.key offset 0) x
order by f.n, x.map_index`,
};

/** Instances that the engine is to make, of runs under review. Runs locked. $1 runs. Rows: run, task. */
export const FIND_UNEXPANDED: Statement = {
  name: 'find_unexpanded',
  text: `
select t.run_id, t.task_index from (select id, version_id from dag_run where id = any($1::bigint[])) r,
lateral (select task_index from dag_version_task v where v.version_id = r.version_id and v.expands offset 0) v,
lateral (select run_id, task_index from task_instance t
  where t.run_id = r.id and t.task_index = v.task_index and t.map_index = -1 and t.state = 'scheduled' offset 0) t`,
};

/**
 * Takes the row that stands for a mapped unit as if a worker had claimed it, so that its end is recorded as every other.
 * Runs locked. $1 run $2 task. Rows: run, task, dispatch.
 */
export const TAKE_UNEXPANDED: Statement = {
  name: 'take_unexpanded',
  text: `
with f as materialized (
  select f.run_id, f.task_index, -1 as map_index from (
    select * from unnest($1::bigint[], $2::int[]) f(run_id, task_index) ${AS_FEW}) f),
clk as materialized (select clock_timestamp() ts),
u as (
  update task_instance t set state = 'running', dispatch_id = gen_random_uuid(), try_number = t.try_number + 1, queued_at = clk.ts, started_at = clk.ts,
    deadline_at = clk.ts + interval '${LEASE_SECONDS} s', worker_id = null
  from f, clk where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index and t.state = 'scheduled'
  returning t.run_id, t.task_index, t.map_index, t.dispatch_id, t.try_number),
${events('running', '+')}
select run_id, task_index, dispatch_id from u`,
};

/**
 * Puts instances in the place of the one row that stood for them. Those that may start wait for admission, the others keep the counts
 * of their upstreams so far; a task that has been settled already is settled in each of its instances. Who waits for them waits for each.
 * Instances that there were before go on counting their tries.
 * Run locked. $1 run $2 tasks of the unit $3 of these: its failure fails the run $4 the one that may start (a mapped task itself; null: a
 * group's tasks wait for its `map` task) $5 rank of it $6 under which task the arguments are kept $7 arguments, a list
 * Edges out of the unit: $8 task $9 who waits for it $10 that is a teardown $11 and the task is not its setup
 */
export const EXPAND_TASKS: Statement = {
  name: 'expand_tasks',
  text: `
with k as materialized (
  select $1::bigint as run_id, m.task_index, m.leaf, -1 as map_index, m.task_index is not distinct from $4::int as starts
  from (select * from unnest($2::int[], $3::bool[]) m(task_index, leaf) limit cardinality($2::int[])) m),
clk as materialized (select clock_timestamp() ts),
item as materialized (select (n - 1)::int as map_index, value from jsonb_array_elements($7::jsonb) with ordinality i(value, n)),
size as materialized (select count(*)::int as n from item),
gone as (
  delete from task_instance t using k where t.run_id = k.run_id and t.task_index = k.task_index and t.map_index = k.map_index
    and case when k.starts then t.state = 'scheduled' else t.state in ('none', 'skipped', 'upstream_failed') end
  returning t.*, k.starts, k.leaf),
made as (
  insert into task_instance (run_id, task_index, map_index, state, up_total, up_success, up_failed, up_upstream_failed, up_skipped,
    try_number, max_tries, ended_at, deadline_at)
  select g.run_id, g.task_index, i.map_index, g.state, g.up_total, g.up_success, g.up_failed,
    g.up_upstream_failed, g.up_skipped, l.tries, g.max_tries - g.try_number + l.tries, g.ended_at,
    case when g.starts then clk.ts + interval '${REVIEW_SECONDS} s' end
  from clk, gone g cross join item i, lateral (
    select coalesce(max(y.try_number), 0)::int as tries from task_try y
    where y.run_id = g.run_id and y.task_index = g.task_index and y.map_index = i.map_index) l
  returning run_id, task_index, map_index, state, try_number),
kept as (
  insert into map_item (run_id, task_index, map_index, value) select $1, $6, map_index, value from item
  on conflict (run_id, task_index, map_index) do update set value = excluded.value, name = null),
c as (
  update task_instance t set up_total = t.up_total + x.total * (size.n - 1), up_failed = t.up_failed + x.failed * (size.n - 1),
    up_upstream_failed = t.up_upstream_failed + x.upstream_failed * (size.n - 1), up_skipped = t.up_skipped + x.skipped * (size.n - 1)
  from size, (
    select x.child, count(*)::int as total,
      count(*) filter (where x.teardown and not x.other and g.state = 'upstream_failed')::int as failed,
      count(*) filter (where case when x.other then g.state in ('skipped', 'upstream_failed') else not x.teardown and g.state = 'upstream_failed' end)::int as upstream_failed,
      count(*) filter (where not x.other and g.state = 'skipped')::int as skipped
    from (select * from unnest($8::int[], $9::int[], $10::bool[], $11::bool[]) x(member, child, teardown, other) limit cardinality($8::int[])) x
    join gone g on g.task_index = x.member group by x.child) x
  where t.run_id = $1 and t.task_index = x.child),
w as (
  insert into waiting_task (run_id, rank, task_index, map_index)
  select run_id, $5::int, task_index, map_index from made where state = 'scheduled'),
s as (
  update dag_run r set event_seq = r.event_seq + 1,
    remaining = r.remaining + (size.n - 1) * (select count(*) from gone where state in ('none', 'scheduled'))::int,
    failed_leaves = r.failed_leaves + (size.n - 1) * (select count(*) from gone where leaf and state = 'upstream_failed')::int
  from size where r.id = $1 and exists (select from gone) returning r.id, r.event_seq),
e as (
  insert into event (run_id, run_seq, at, body)
  select s.id, s.event_seq, clk.ts, json_build_object('t', (select json_agg(t) from (
      select json_build_array(task_index, map_index, 'removed', try_number) as t from gone
      union all select json_build_array(task_index, map_index, state, try_number) from made) z)) from s, clk),
notify as materialized (select pg_notify('millrace_event', '') from (select from s limit 1) x)
select count(*)::int as made, (select count(*) from notify) as notified from made`,
};

/** Finished runs as real ones leave them, made by SQL: in the current partitions, which is where they are most in the way. */
import type pg from 'pg';

const RUNS_PER_STATEMENT = 5_000;

/** A chain's run: created, started, then one event a task that tells its success and its child's start. */
const RUNS = `
with v as materialized (
  select v.id as version_id, v.dag_id, v.task_count from dag_version v where v.dag_id = $1 limit 1),
r as materialized (
  select next_run_id() as id, v.*, now() - interval '1 hour' + n * interval '1 ms' as at from v, generate_series(1, $2::int) n),
i as materialized (
  select r.id, r.at, t.task_index, t.upstream_count, gen_random_uuid() as dispatch_id,
    r.at + t.task_index * interval '2 ms' as started_at, r.at + (t.task_index + 1) * interval '2 ms' as ended_at
  from r join dag_version_task t on t.version_id = r.version_id),
ti as (
  insert into task_instance (run_id, queued_at, started_at, ended_at, dispatch_id, task_index, up_total, up_success, worker_id, state,
    try_number, max_tries)
  select id, started_at, started_at, ended_at, dispatch_id, task_index, upstream_count, upstream_count, 1, 'success', 1, 1 from i),
tried as (
  insert into task_try (run_id, queued_at, started_at, ended_at, dispatch_id, task_index, map_index, try_number, worker_id, outcome, cause)
  select id, started_at, started_at, ended_at, dispatch_id, task_index, -1, 1, 1, 'success', 'ok' from i),
told as (
  insert into event (run_id, run_seq, at, body)
  select id, 1, at, '{"run": "queued"}'::json from r
  union all select id, 2, at, '{"run": "running", "t": [[0, -1, "queued", 0]]}'::json from r
  union all select id, 3, at, '{"t": [[0, -1, "running", 1]]}'::json from r
  union all select id, task_index + 4, ended_at, json_build_object('t', json_build_array(
    json_build_array(task_index, -1, 'success', 1, 'ok'), json_build_array(task_index + 1, -1, 'running', 1))) from i)
insert into dag_run (id, dag_id, version_id, state, kind, remaining, event_seq, max_active_tasks, run_key, created_at, started_at, ended_at)
select id, dag_id, version_id, 'success', 'manual', 0, task_count + 3, 100000, 'manual__' || id, at, at, at + interval '20 ms' from r`;

/** Adds so many finished runs of the DAG, then does what autovacuum would have done over the months they took. */
export async function addHistory(client: pg.Client, dagId: number, runs: number): Promise<void> {
  await client.query('set synchronous_commit = off');
  for (let left = runs; left > 0; left -= RUNS_PER_STATEMENT)
    await client.query(RUNS, [dagId, Math.min(left, RUNS_PER_STATEMENT)]);
  await client.query('vacuum (analyze) dag_run');
  await client.query('vacuum (analyze) task_instance');
  await client.query('vacuum (analyze) task_try');
  await client.query('vacuum (analyze) event');
}

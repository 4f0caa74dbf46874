/**
 * Did every run since `firstRun` do exactly what its DAG says? A round that did not has no number. One look per table at the
 * rows of the round, joined by hash: a nested loop that a planner without statistics chooses would take minutes.
 */
import type pg from 'pg';

interface Finding {
  what: string;
  found: number;
  wanted: number;
}

const RUNNING = 'tasks told of once as running';

const ROUND = (expectedRuns: string) => `
with run as (select id, version_id, event_seq, state from dag_run where id >= $1),
ti as (select * from task_instance where run_id >= $1),
tried as (select * from task_try where run_id >= $1),
spec as (
  select v.id as version_id, t.n - 1 as task_index, t.task ->> 'taskId' as task_id, t.task -> 'upstream' as upstream
  from dag_version v, jsonb_array_elements(v.spec -> 'tasks') with ordinality t(task, n)
  where v.id in (select version_id from run)),
waits as materialized (
  select spec.version_id, spec.task_index, u.id as upstream from spec, jsonb_array_elements_text(spec.upstream) u(id)),
edge as materialized (
  select waits.version_id, parent.task_index as parent, waits.task_index as child
  from waits join spec parent on parent.version_id = waits.version_id and parent.task_id = waits.upstream),
ev as (select run_id, run_seq, body from event where run_id >= $1),
told as (
  select ev.run_id, (t ->> 0)::int as task_index, t ->> 2 as state from ev, json_array_elements(ev.body -> 't') t),
wanted as (select count(*)::int as tasks, (select count(*)::int from run) as runs from run join spec using (version_id))
select * from (
  select 'runs' as what, (select count(*)::int from run) as found, ${expectedRuns} as wanted
  union all select 'runs that succeeded', (select count(*)::int from run where state = 'success'), runs from wanted
  union all select 'tasks that succeeded at their first try',
    (select count(*)::int from ti where state = 'success' and try_number = 1 and deadline_at is null), tasks from wanted
  union all select 'tries recorded, one for each task',
    (select count(*)::int from (select 1 from tried where outcome = 'success' group by run_id, task_index, map_index having count(*) = 1) x), tasks from wanted
  union all select '${RUNNING}',
    (select count(*)::int from (select 1 from told where state = 'running' group by run_id, task_index having count(*) = 1) x), tasks from wanted
  union all select 'tasks told of once as succeeded',
    (select count(*)::int from (select 1 from told where state = 'success' group by run_id, task_index having count(*) = 1) x), tasks from wanted
  union all select 'tasks that started before an upstream had ended',
    (select count(*)::int from run join edge using (version_id)
      join ti p on p.run_id = run.id and p.task_index = edge.parent
      join ti c on c.run_id = run.id and c.task_index = edge.child
      where c.started_at < p.ended_at or c.started_at is null or p.ended_at is null), 0
  union all select 'runs with a dense event log',
    (select count(*)::int from run join (
        select run_id, count(*) as n, min(run_seq) as low, max(run_seq) as high from ev group by run_id) e on e.run_id = run.id
      where e.n = run.event_seq and e.low = 1 and e.high = run.event_seq), runs from wanted
  union all select 'rows left in ready_task', (select count(*)::int from ready_task where run_id >= $1), 0
  union all select 'rows left in waiting_task', (select count(*)::int from waiting_task where run_id >= $1), 0
) finding where found <> wanted`;

/** Throws with what differs. `brief`: a task may have ended before it was seen to run. */
export async function verifyRuns(
  client: pg.Client,
  firstRun: number,
  runs: number,
  { brief = false } = {},
): Promise<void> {
  await client.query('begin');
  await client.query(`set local enable_nestloop = off`);
  // On the run alone, which all rows share, a merge would be a cross product
  await client.query(`set local enable_mergejoin = off`);
  await client.query(`set local work_mem = '256MB'`);
  const { rows } = await client.query<Finding>(ROUND('$2::int'), [firstRun, runs]);
  await client.query('commit');
  const wrong = rows.filter(({ what, found, wanted }) => !(brief && what === RUNNING && found < wanted));
  if (wrong.length === 0) return;
  const findings = wrong.map(({ what, found, wanted }) => `${what}: ${found}, not ${wanted}`);
  throw new Error(`The round's check failed: ${findings.join('; ')}.`);
}

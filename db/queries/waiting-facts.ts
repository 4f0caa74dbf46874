/** What is needed to say why something waits: a few queries for any number of task instances or runs. */
import { sql, type RawBuilder } from 'kysely';
import type { RunState, TaskState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { ClusterFacts, GateFacts, Holder, QueueFacts, RunFacts } from '#db/engine/waiting-reason.ts';
import type { TaskKey } from './task-instances.ts';

export interface WaitingRow {
  run_id: number;
  task_index: number;
  map_index: number;
  state: TaskState;
  run_state: RunState;
  active: number;
  max_active_tasks: number;
  due_at: Date | null;
  wait_kind: string | null;
  timeout_at: Date | null;
  launch: LaunchRow | null;
}

/** Dates are ISO 8601. */
interface LaunchRow {
  phase: string;
  reason: string | null;
  message: string | null;
  namespace: string | null;
  name: string | null;
  not_before: string | null;
  attempts: number;
}

const unnestKeys = (keys: readonly TaskKey[]): RawBuilder<unknown> => sql`
  unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
  k(run_id, task_index, map_index)`;

/** In no order; those that exist. */
export async function findWaiting(db: Db, keys: readonly TaskKey[]): Promise<WaitingRow[]> {
  const { rows } = await sql<WaitingRow>`
    select t.run_id, t.task_index, t.map_index, t.state, r.state as run_state, r.active, r.max_active_tasks,
      coalesce(w.due_at, m.due_at) as due_at, w.kind as wait_kind, w.timeout_at,
      case when t.state = 'queued' and t.dispatch_id is not null then (select json_build_object('phase', l.phase, 'reason', l.reason, 'message', l.message,
        'namespace', l.namespace, 'name', l.name, 'not_before', l.not_before, 'attempts', l.attempts)
        from launch l where l.dispatch_id = t.dispatch_id) end as launch
    from ${unnestKeys(keys)}
    join task_instance t using (run_id, task_index, map_index) join dag_run r on r.id = t.run_id
    left join task_timer m using (run_id, task_index, map_index)
    left join trigger_wait w on w.run_id = t.run_id and w.task_index = t.task_index and w.map_index = t.map_index and w.dispatch_id = t.dispatch_id`.execute(
    db,
  );
  return rows;
}

/** By run, then task: how many instances of the task have not finished. Tasks without such are left out. */
export async function countUnfinished(
  db: Db,
  pairs: readonly { runId: number; taskIndex: number }[],
): Promise<Map<string, number>> {
  if (pairs.length === 0) return new Map();
  const { rows } = await sql<{ run_id: number; task_index: number; n: number }>`
    select t.run_id, t.task_index, count(*)::int as n
    from (select distinct * from unnest(${pairs.map((pair) => pair.runId)}::bigint[], ${pairs.map((pair) => pair.taskIndex)}::int[]) k(run_id, task_index)) k
    join task_instance t using (run_id, task_index)
    where t.state not in ('success', 'failed', 'skipped', 'upstream_failed', 'cancelled', 'removed')
    group by t.run_id, t.task_index`.execute(db);
  return new Map(rows.map((row) => [`${row.run_id}.${row.task_index}`, row.n]));
}

interface GateRow {
  run_id: number;
  gate_set: number;
  gate: string;
  slots: number;
  capacity: number;
  held: number;
  pool_slots: number | null;
  ahead: number;
  due_at: Date | null;
  holders: Holder[] | null;
}

const HOLDERS_SHOWN = 5;
/** So many are counted; more is many. */
const MOST_AHEAD = 1000;

/** Where the gate sets of runs stand, by `<run>.<set>`; those that stand nowhere are left out. */
export async function findGates(
  db: Db,
  pairs: readonly { runId: number; set: number }[],
): Promise<Map<string, GateFacts>> {
  if (pairs.length === 0) return new Map();
  const { rows } = await sql<GateRow>`
    select g.run_id, g.gate_set, g.gate, g.slots, g.capacity, p.slots as pool_slots, m.due_at,
      (select coalesce(sum(h.slots), 0)::int from held_slot h where h.gate = g.gate) as held,
      (select count(*)::int from (select from waiting_gate o where o.gate = g.gate and (o.rank, o.run_id, o.gate_set) < (g.rank, g.run_id, g.gate_set)
        limit ${MOST_AHEAD}) o) as ahead,
      (select json_agg(json_build_object('runId', h.run_id, 'dagId', d.name, 'taskId', v.task_id, 'mapIndex', h.map_index))
        from (select * from held_slot h where h.gate = g.gate order by run_id, task_index, map_index limit ${HOLDERS_SHOWN}) h
        join dag_run r on r.id = h.run_id join dag d on d.id = r.dag_id
        join dag_version_task v on v.version_id = r.version_id and v.task_index = h.task_index) as holders
    from (select distinct * from unnest(${pairs.map((pair) => pair.runId)}::bigint[], ${pairs.map((pair) => pair.set)}::int[]) k(run_id, gate_set)) k
    join waiting_gate g using (run_id, gate_set)
    left join pool p on p.name = case when g.gate like 'pool:%' then substr(g.gate, 6) when g.gate like 'nopool:%' then substr(g.gate, 8) end
    left join gate_timer m on m.gate = g.gate`.execute(db);
  return new Map(
    rows.map(({ run_id, gate_set, pool_slots, due_at, holders, ...facts }) => [
      `${run_id}.${gate_set}`,
      { ...facts, poolSlots: pool_slots, dueAt: due_at, holders: holders ?? [] },
    ]),
  );
}

/** Who serves these queues, and who has paused them; what their workers run is counted over all of their queues. */
export async function findQueueFacts(db: Db, queues: readonly string[]): Promise<Map<string, QueueFacts>> {
  if (queues.length === 0) return new Map();
  const { rows } = await sql<QueueFacts & { queue: string; pausedBy: string | null; pausedAt: Date | null }>`
    with busy as (
      select t.worker_id, count(*)::int as n from dag_run r join task_instance t on t.run_id = r.id and t.state = 'running'
      where r.state = 'running' and r.active > 0 group by t.worker_id)
    select q.queue, count(w.id)::int as online, coalesce(sum(w.slots), 0)::int as slots, coalesce(sum(b.n), 0)::int as running,
      p.paused_by as "pausedBy", p.paused_at as "pausedAt"
    from unnest(${queues}::text[]) q(queue) left join queue p on p.name = q.queue
    left join worker w on w.state = 'online' and q.queue = any(w.queues) left join busy b on b.worker_id = w.id
    group by q.queue, p.name`.execute(db);
  return new Map(
    rows.map(({ queue, pausedBy, pausedAt, ...facts }) => [
      queue,
      { ...facts, paused: pausedBy === null || pausedAt === null ? null : { by: pausedBy, at: pausedAt } },
    ]),
  );
}

/** Those of the clusters that are there, by name. */
export async function findClusterFacts(
  db: Db,
  names: readonly string[],
): Promise<Map<string, NonNullable<ClusterFacts['known']>>> {
  if (names.length === 0) return new Map();
  const rows = await db
    .selectFrom('cluster')
    .select(['name', 'paused', 'health', 'health_message'])
    .where('name', 'in', names)
    .execute();
  return new Map(
    rows.map((row) => [row.name, { paused: row.paused, health: row.health, healthMessage: row.health_message }]),
  );
}

interface RunRow {
  id: number;
  state: RunState;
  paused: boolean;
  running: number;
  max_active_runs: number;
  key: string | null;
  concurrency_limit: number | null;
  run_ids: number[] | null;
}

/** In no order; those that exist. */
export async function findRunFacts(db: Db, runIds: readonly number[]): Promise<Map<number, RunFacts>> {
  const { rows } = await sql<RunRow>`
    select r.id, r.state, d.paused, d.max_active_runs, r.concurrency_key as key, d.concurrency_limit,
      (select count(*)::int from (select from dag_run o where o.dag_id = r.dag_id and o.state = 'running' limit d.max_active_runs) o) as running,
      (select json_agg(o.id order by o.id) from (select id from dag_run o where o.dag_id = r.dag_id and o.concurrency_key = r.concurrency_key
        and o.state = 'running' order by id limit 100) o) as run_ids
    from dag_run r join dag d on d.id = r.dag_id where r.id = any(${runIds}::bigint[])`.execute(db);
  return new Map(
    rows.map(({ id, state, paused, running, max_active_runs: maxActiveRuns, key, concurrency_limit, run_ids }) => [
      id,
      {
        state,
        paused,
        running,
        maxActiveRuns,
        key:
          key === null || concurrency_limit === null ? null : { key, limit: concurrency_limit, runIds: run_ids ?? [] },
      },
    ]),
  );
}

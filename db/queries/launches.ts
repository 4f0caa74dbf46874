/** Dispatches that clusters have: who looks after them, and how far they are. Only launchers write here. */
import type pg from 'pg';
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';
import { arrayLiteral } from './task-transitions/statement.ts';

export const LAUNCH_PHASES = ['waiting', 'creating', 'created', 'scheduled', 'started', 'ended'] as const;
export type LaunchPhase = (typeof LAUNCH_PHASES)[number];
export const LAUNCH_KINDS = ['pod', 'runner', 'resource'] as const;
export type LaunchKind = (typeof LAUNCH_KINDS)[number];

/** What is known of a launch and changes as it goes on. */
export interface LaunchState {
  phase: LaunchPhase;
  uid: string | null;
  node: string | null;
  /** Why it does not go on: a word, and a sentence. */
  reason: string | null;
  message: string | null;
  /** Waiting: the next attempt. */
  notBefore: Date | null;
  /** Refusals so far. */
  attempts: number;
  createdAt: Date | null;
  scheduledAt: Date | null;
  startedAt: Date | null;
}

/** The object that stands for it on the cluster; nulls until that is known. */
export interface LaunchObject {
  kind: LaunchKind | null;
  /** `<apiVersion> <kind>`. */
  api: string | null;
  namespace: string | null;
  name: string | null;
  /** What becomes of it when it has ended. */
  onFinish: string | null;
}

export interface Launch extends DispatchKey, LaunchState, LaunchObject {
  tryNumber: number;
  claimedAt: Date;
}

export interface LaunchRow {
  dispatch_id: string;
  run_id: number;
  task_index: number;
  map_index: number;
  try_number: number;
  phase: LaunchPhase;
  kind: LaunchKind | null;
  api: string | null;
  namespace: string | null;
  name: string | null;
  on_finish: string | null;
  uid: string | null;
  node: string | null;
  reason: string | null;
  message: string | null;
  not_before: Date | null;
  attempts: number;
  claimed_at: Date;
  created_at: Date | null;
  scheduled_at: Date | null;
  started_at: Date | null;
}

export const readLaunch = (row: LaunchRow): Launch => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
  uuid: row.dispatch_id,
  tryNumber: row.try_number,
  phase: row.phase,
  kind: row.kind,
  api: row.api,
  namespace: row.namespace,
  name: row.name,
  onFinish: row.on_finish,
  uid: row.uid,
  node: row.node,
  reason: row.reason,
  message: row.message,
  notBefore: row.not_before,
  attempts: row.attempts,
  claimedAt: row.claimed_at,
  createdAt: row.created_at,
  scheduledAt: row.scheduled_at,
  startedAt: row.started_at,
});

/** Of launches that wait, the oldest first. */
export interface Placement {
  uuid: string;
  kind: LaunchKind;
  /** `<apiVersion> <kind>`. */
  api: string;
  namespace: string;
  name: string;
  onFinish: string;
}

export interface PlaceLimits {
  cluster: string;
  workerId: number;
  maxPods: number;
  maxPodsPerNamespace: number | null;
}

export type Verdict = 'admitted' | 'cluster_full' | 'predecessor';

const LOCK_CLUSTER = {
  name: 'lock_cluster',
  text: `select pg_advisory_xact_lock(hashtextextended($1, 7264003))`,
};
const LIVE = `('creating', 'created', 'scheduled', 'started')`;

/**
 * $1 cluster $2 worker $3 most $4 most in a namespace $5 dispatch $6 kind $7 namespace $8 name $9 what is done in the end $10 API and kind. Whoever has a
 * former dispatch of the same instance on a cluster waits until nothing of that is left.
 */
const PLACE = {
  name: 'place_launches',
  text: `
with f as materialized (
  select f.*, exists (select from launch o where o.run_id = l.run_id and o.task_index = l.task_index and o.map_index = l.map_index
      and o.dispatch_id <> l.dispatch_id) as follows
  from unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
    with ordinality f(dispatch_id, kind, namespace, name, on_finish, api, n)
  join launch l on l.dispatch_id = f.dispatch_id and l.phase = 'waiting' and l.worker_id = $2),
used as materialized (select namespace, count(*)::int as n from launch where cluster = $1 and phase in ${LIVE} group by namespace),
ranked as (
  select f.*, row_number() over (order by n) as place, row_number() over (partition by namespace order by n) as place_there from f where not follows),
a as (
  select r.* from ranked r left join used u using (namespace)
  where r.place <= $3::int - (select coalesce(sum(n), 0) from used) and ($4::int is null or r.place_there <= $4::int - coalesce(u.n, 0))),
u as (
  update launch l set phase = 'creating', kind = a.kind, api = a.api, namespace = a.namespace, name = a.name, on_finish = a.on_finish,
    asked_at = coalesce(l.asked_at, clock_timestamp()), reason = null, message = null, not_before = null
  from a where l.dispatch_id = a.dispatch_id returning l.dispatch_id)
select f.dispatch_id, case when u.dispatch_id is not null then 'admitted' when f.follows then 'predecessor' else 'cluster_full' end as verdict
from f left join u using (dispatch_id)`,
};

/** Which of the launches may be created now, as far as the cluster has room. Those that are not ours any more are left out. */
export async function placeLaunches(
  pool: pg.Pool,
  { cluster, workerId, maxPods, maxPodsPerNamespace }: PlaceLimits,
  launches: readonly Placement[],
): Promise<Map<string, Verdict>> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    // Two statements: what the second counts, it must see under the lock
    await client.query({ ...LOCK_CLUSTER, values: [cluster] });
    const { rows } = await client.query<{ dispatch_id: string; verdict: Verdict }>({
      ...PLACE,
      values: [
        cluster,
        workerId,
        maxPods,
        maxPodsPerNamespace,
        arrayLiteral(launches.map((launch) => launch.uuid)),
        launches.map((launch) => launch.kind),
        launches.map((launch) => launch.namespace),
        launches.map((launch) => launch.name),
        launches.map((launch) => launch.onFinish),
        launches.map((launch) => launch.api),
      ],
    });
    await client.query('commit');
    client.release();
    return new Map(rows.map((row) => [row.dispatch_id, row.verdict]));
  } catch (error) {
    client.release(error as Error);
    throw error;
  }
}

const SAVE = {
  name: 'save_launches',
  text: `
update launch l set phase = s.phase, uid = s.uid, node = s.node, reason = s.reason, message = s.message, not_before = s."notBefore",
  attempts = s.attempts, created_at = s."createdAt", scheduled_at = s."scheduledAt", started_at = s."startedAt",
  ended_at = case when s.phase = 'ended' then coalesce(l.ended_at, clock_timestamp()) end
from json_to_recordset($1::json) s(uuid uuid, phase text, uid text, node text, reason text, message text, "notBefore" timestamptz, attempts int,
  "createdAt" timestamptz, "scheduledAt" timestamptz, "startedAt" timestamptz)
where l.dispatch_id = s.uuid and l.worker_id = $2`,
};

export async function saveLaunches(
  pool: pg.Pool,
  workerId: number,
  states: readonly (LaunchState & { uuid: string })[],
): Promise<void> {
  await pool.query({ ...SAVE, values: [JSON.stringify(states), workerId] });
}

const DROP = {
  name: 'drop_launches',
  text: `delete from launch where dispatch_id = any($1::uuid[]) and worker_id = $2`,
};

/** Nothing of them is left on the cluster. */
export async function dropLaunches(pool: pg.Pool, workerId: number, uuids: readonly string[]): Promise<void> {
  await pool.query({ ...DROP, values: [arrayLiteral(uuids), workerId] });
}

const ADOPT = {
  name: 'adopt_launches',
  text: `
update launch l set worker_id = $2 from (
  select l.dispatch_id from launch l where l.cluster = $1 and (l.worker_id = $2 and $5::bool or l.worker_id <> $2 and not exists (
    select from worker w where w.id = l.worker_id and w.state <> 'offline' and w.last_beat_at > clock_timestamp() - $3 * interval '1 second'))
  order by l.claimed_at limit $4 for update skip locked) o
where l.dispatch_id = o.dispatch_id returning l.*`,
};

/** Takes over what launchers had that are silent for so long; `ownToo`: and what the worker has, which begins anew with this cluster. */
export async function adoptLaunches(
  pool: pg.Pool,
  {
    cluster,
    workerId,
    silentSeconds,
    limit,
    ownToo,
  }: { cluster: string; workerId: number; silentSeconds: number; limit: number; ownToo: boolean },
): Promise<Launch[]> {
  const { rows } = await pool.query<LaunchRow>({
    ...ADOPT,
    values: [cluster, workerId, silentSeconds, limit, ownToo],
  });
  return rows.map(readLaunch);
}

const STALE = {
  name: 'stale_launches',
  text: `
select l.dispatch_id from launch l where l.worker_id = $1 and l.phase <> 'ended' and not exists (
  select from task_instance t where t.run_id = l.run_id and t.task_index = l.task_index and t.map_index = l.map_index
    and t.dispatch_id = l.dispatch_id and t.state in ('queued', 'running'))`,
};

/** A launcher's dispatches that nobody wants any more: ended, cleared, cancelled, or their run is gone. */
export async function findStaleLaunches(pool: pg.Pool, workerId: number): Promise<string[]> {
  const { rows } = await pool.query<{ dispatch_id: string }>({ ...STALE, values: [workerId] });
  return rows.map((row) => row.dispatch_id);
}

/** Which of these dispatches have a launch, whoever looks after it. */
export async function findLaunched(db: Db, uuids: readonly string[]): Promise<Set<string>> {
  if (uuids.length === 0) return new Set();
  const rows = await db.selectFrom('launch').select('dispatch_id').where('dispatch_id', 'in', uuids).execute();
  return new Set(rows.map((row) => row.dispatch_id));
}

/** Tells this service's objects on a cluster from those of others. */
export async function installationId(db: Db): Promise<string> {
  return (await db.selectFrom('installation').select('id').executeTakeFirstOrThrow()).id;
}

/** Where the log of a dispatch ends: its length, and its last lines. */
export async function findLogEnd(db: Db, { runId, uuid }: DispatchKey): Promise<{ bytes: number; tail: string }> {
  const { rows } = await sql<{ byte_offset: number; body: string }>`
    select byte_offset, body from log_chunk where run_id = ${runId} and dispatch_id = ${uuid}::uuid
    order by byte_offset desc limit 64`.execute(db);
  const last = rows[0];
  if (!last) return { bytes: 0, tail: '' };
  const tail = rows
    .map((row) => row.body)
    .reverse()
    .join('');
  return { bytes: Number(last.byte_offset) + Buffer.byteLength(last.body), tail };
}

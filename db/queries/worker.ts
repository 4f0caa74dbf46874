/** Workers as rows: who they are, when they were last heard of, and whether they are to end. */
import { sql, type Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { recordAudit } from './audit.ts';
import { clockAhead } from './clock-ahead.ts';

/** Payload: the id of a worker that came, went, or is to drain. */
export const WORKER_CHANGED = 'millrace_worker';

export const DRAIN_MODES = ['finish', 'hand_back'] as const;
/** How a worker is to end: after what it runs, or at once. */
export type DrainMode = (typeof DRAIN_MODES)[number];

/** Bytes, and CPUs as a number of cores. */
export interface WorkerUsage {
  /** What it may use of its machine, or of its container. */
  cpus: number;
  /** Of these, by everything there, since the beat before; null: not known yet. */
  cpuUsed: number | null;
  /** Load of the machine over the last minute. */
  load: number;
  memoryLimit: number;
  memoryUsed: number;
  /** By the worker and all that it has started. */
  ownCpu: number | null;
  ownMemory: number;
}

export interface WorkerInfo {
  /** Stable over restarts of one worker: a second registration under it replaces the first. */
  name: string;
  queues: string[];
  slots: number;
  version: string;
  hostname: string | null;
  pid: number | null;
  labels?: { [name: string]: string };
}

/** Launchers and the triggerer of a scheduler are workers too, and not for people to manage. */
export const RUNS_TASKS = sql<boolean>`slots > 0 and not exists (select from unnest(queues) q where q like '@%')`;

/** A worker that comes back under its name is a new row; `replaced` is the one whose dispatches nobody runs any more. */
export async function registerWorker(db: Db, info: WorkerInfo): Promise<{ workerId: number; replaced: number[] }> {
  return db.transaction().execute(async (trx) => {
    const replaced = await trx
      .updateTable('worker')
      .set({ state: 'offline' })
      .where('name', '=', info.name)
      .where('state', '<>', 'offline')
      .returning('id')
      .execute();
    const worker = await trx
      .insertInto('worker')
      .values({ ...info, labels: JSON.stringify(info.labels ?? {}) })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tell(trx, worker.id);
    return { workerId: worker.id, replaced: replaced.map((row) => row.id) };
  });
}

export interface WorkerBeat {
  usage?: WorkerUsage | null;
  /** Task instances that it has reported. */
  finished?: number | null;
  /** By its own clock, now. */
  sentAt?: Date | null;
}

/** Undefined: this registration was replaced or retired; register again. */
export async function beatWorker(
  db: Db,
  workerId: number,
  { usage, finished, sentAt }: WorkerBeat = {},
): Promise<{ drain: DrainMode | null } | undefined> {
  return db
    .updateTable('worker')
    .set({
      last_beat_at: sql`clock_timestamp()`,
      ...(usage && { usage: JSON.stringify(usage) }),
      ...(finished != null && { finished }),
      ...(sentAt && { clock_ms: clockAhead(sentAt) }),
    })
    .where('id', '=', workerId)
    .where('state', '<>', 'offline')
    .returning(sql<DrainMode | null>`drain`.as('drain'))
    .executeTakeFirst();
}

/** The worker says so itself; one that is asked to drain stays so. */
export async function setWorkerState(db: Db, workerId: number, state: 'draining' | 'offline'): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.updateTable('worker').set({ state }).where('id', '=', workerId).execute();
    await tell(trx, workerId);
  });
}

/** `mode` null: it takes tasks again. Undefined: there is no such worker that is not offline. */
export async function drainWorker(
  db: Db,
  name: string,
  mode: DrainMode | null,
  { actor }: { actor: string },
): Promise<{ id: number } | undefined> {
  return db.transaction().execute(async (trx) => {
    const worker = await trx
      .updateTable('worker')
      .set({ drain: mode, state: mode === null ? 'online' : 'draining' })
      .where('name', '=', name)
      .where('state', '<>', 'offline')
      .where(RUNS_TASKS)
      .returning('id')
      .executeTakeFirst();
    if (!worker) return undefined;
    const detail = mode === null ? undefined : { mode };
    const action = mode === null ? 'resume_worker' : 'drain_worker';
    await recordAudit(trx, { actor, action, object: name, ...(detail && { detail }) });
    await tell(trx, worker.id);
    return worker;
  });
}

/** Workers silent for longer than a lease are gone. Their leases have expired with them. */
export async function retireSilentWorkers(db: Db, silentSeconds: number): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    with w as (
      update worker set state = 'offline'
      where state <> 'offline' and last_beat_at < clock_timestamp() - ${silentSeconds} * interval '1 second' returning id)
    select id, pg_notify(${WORKER_CHANGED}, id::text) from w`.execute(db);
  return rows.map((row) => row.id);
}

const tell = (trx: Transaction<DB>, workerId: number) =>
  sql`select pg_notify(${WORKER_CHANGED}, ${String(workerId)})`.execute(trx);

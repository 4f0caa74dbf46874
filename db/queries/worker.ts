/** Workers as rows: who they are, when they were last heard of. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

export interface WorkerInfo {
  /** Stable over restarts of one worker: a second registration under it replaces the first. */
  name: string;
  queues: string[];
  slots: number;
  version: string;
  hostname: string | null;
  pid: number | null;
}

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
    const worker = await trx.insertInto('worker').values(info).returning('id').executeTakeFirstOrThrow();
    return { workerId: worker.id, replaced: replaced.map((row) => row.id) };
  });
}

/** False: this registration was replaced or retired; register again. */
export async function beatWorker(db: Db, workerId: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('worker')
    .set({ last_beat_at: sql`clock_timestamp()` })
    .where('id', '=', workerId)
    .where('state', '<>', 'offline')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function setWorkerState(db: Db, workerId: number, state: 'draining' | 'offline'): Promise<void> {
  await db.updateTable('worker').set({ state }).where('id', '=', workerId).execute();
}

/** Workers silent for longer than a lease are gone. Their leases have expired with them. */
export async function retireSilentWorkers(db: Db, silentSeconds: number): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    update worker set state = 'offline'
    where state <> 'offline' and last_beat_at < clock_timestamp() - ${silentSeconds} * interval '1 second' returning id`.execute(
    db,
  );
  return rows.map((row) => row.id);
}

/** Workers, for reading. */
import { sql, type Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { Worker } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export type WorkerRow = Selectable<Worker>;

export async function findWorkers(db: Db, workerIds: readonly number[]): Promise<WorkerRow[]> {
  if (workerIds.length === 0) return [];
  return db.selectFrom('worker').selectAll().where('id', 'in', workerIds).execute();
}

/** Newest first; those that have gone too. */
export async function listWorkers(db: Db, page: KeysetPage<number>): Promise<WorkerRow[]> {
  let query = db.selectFrom('worker').selectAll();
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  if (page.before !== undefined) query = query.where('id', '>', page.before);
  return query
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

/** How many task instances each of them runs. Looks only at the task instances of runs that are going on. */
export async function countRunning(db: Db, workerIds: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await sql<{ worker_id: number; running: number }>`
    select t.worker_id, count(*)::int as running from dag_run r
    join task_instance t on t.run_id = r.id and t.state = 'running' and t.worker_id = any (${workerIds}::int[])
    where r.state = 'running' group by t.worker_id`.execute(db);
  return new Map(rows.map((row) => [row.worker_id, row.running]));
}

/** Deletes runs, or what belongs to them. Each in a transaction of its own, of a size that the caller bounds. */
import { sql, type Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { PARTITIONED } from './partitions.ts';

/** Rows beside the partitions that mean nothing without their run. */
const BESIDE = ['trigger_wait', 'note', 'asset_run_event', 'deadline', 'log_due'];

/** `all`: with all their rows; `named`: what stands in partitions is left, for these are dropped next. Says how many. */
export async function deleteRuns(db: Db, ids: readonly number[], rows: 'all' | 'named'): Promise<number> {
  if (ids.length === 0) return 0;
  return db.transaction().execute(async (trx) => {
    // A person may have cleared one since: it runs again
    const { rows: locked } = await sql<{ id: number }>`
      select id from dag_run where id = any(${ids}::bigint[]) and state in ('success', 'failed', 'cancelled')
      order by id for update skip locked`.execute(trx);
    const runIds = locked.map(({ id }) => id);
    if (rows === 'all') await trashLogs(trx, runIds);
    for (const table of [...(rows === 'all' ? Object.keys(PARTITIONED) : []), ...BESIDE])
      await sql`delete from ${sql.table(table)} where run_id = any(${runIds}::bigint[])`.execute(trx);
    await sql`delete from dag_run where id = any(${runIds}::bigint[])`.execute(trx);
    return runIds.length;
  });
}

/** What lies in stores is deleted there next. */
async function trashLogs(trx: Transaction<DB>, runIds: readonly number[]): Promise<void> {
  await sql`
    insert into log_trash (store, key)
    select store, key from log_archive where run_id = any(${runIds}::bigint[])`.execute(trx);
  await sql`
    insert into log_trash (store, key)
    select s.name, l.key from log_due l join log_store s on s.current
    where l.run_id = any(${runIds}::bigint[]) and l.key is not null`.execute(trx);
}

/** The logs of runs that stay. Says how many bytes of text. */
export async function deleteLogs(db: Db, runIds: readonly number[]): Promise<void> {
  if (runIds.length === 0) return;
  await db.transaction().execute(async (trx) => {
    await trashLogs(trx, runIds);
    for (const table of ['log_due', 'log_archive', 'log_chunk'])
      await sql`delete from ${sql.table(table)} where run_id = any(${runIds}::bigint[])`.execute(trx);
  });
}

/** The results of runs that stay: whoever is cleared there finds none of its upstreams. */
export async function deleteResults(db: Db, runIds: readonly number[]): Promise<void> {
  if (runIds.length === 0) return;
  await db.transaction().execute(async (trx) => {
    for (const table of ['xcom', 'artifact'])
      await sql`delete from ${sql.table(table)} where run_id = any(${runIds}::bigint[])`.execute(trx);
  });
}

/** From log_chunk to a log store: what is due, who has taken it, and the moment when it has moved. */
import { sql, type Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { archivedBlocks, type ArchivedLog } from './archived-log.ts';

export interface DueLog {
  runId: number;
  uuid: string;
  taskIndex: number;
  mapIndex: number;
  attempts: number;
  /** Seconds since it came in line. */
  age: number;
  /** Whoever had taken it before, and is gone, may have written under it. */
  formerKey: string | null;
}

/** Takes logs that are due, for `seconds`: whoever has not ended by then must be dead. */
export async function claimDueLogs(
  db: Db,
  { claim, limit, seconds }: { claim: string; limit: number; seconds: number },
): Promise<DueLog[]> {
  const { rows } = await sql<DueLog>`
    with k as materialized (
      select run_id, dispatch_id from log_due where look_at <= clock_timestamp()
      order by look_at limit ${limit} for update skip locked)
    update log_due d set look_at = clock_timestamp() + ${seconds} * interval '1 second', claim = ${claim}::uuid
    from k where d.run_id = k.run_id and d.dispatch_id = k.dispatch_id
    returning d.run_id as "runId", d.dispatch_id as uuid, d.task_index as "taskIndex", d.map_index as "mapIndex", d.attempts,
      extract(epoch from clock_timestamp() - d.since)::float8 as age, d.key as "formerKey"`.execute(db);
  return rows;
}

export interface DueFacts {
  /** What a person calls it; null: the run is gone. */
  dagId: string | null;
  taskId: string | null;
  tryNumber: number | null;
  /** Null: the try has not ended. */
  end: { logBytes: number; secondsAgo: number } | null;
  /** The dispatch is the current one of its task instance. */
  isCurrent: boolean;
  /** What of it lies in log_chunk. */
  chunks: number;
  chunkBytes: number;
  /** What of it is in a store already. */
  archivedKey: string | null;
  archivedBytes: number;
}

export async function readDueFacts(db: Db, { runId, uuid, taskIndex, mapIndex }: DueLog): Promise<DueFacts> {
  const { rows } = await sql<DueFacts>`
    select d.name as "dagId", v.task_id as "taskId", y.try_number as "tryNumber",
      case when y.run_id is not null then json_build_object('logBytes', y.log_bytes,
        'secondsAgo', extract(epoch from clock_timestamp() - y.ended_at)) end as "end",
      exists (select from task_instance t where t.run_id = ${runId} and t.task_index = ${taskIndex} and t.map_index = ${mapIndex}
        and t.dispatch_id = ${uuid}::uuid) as "isCurrent",
      c.chunks, c.bytes as "chunkBytes",
      a.key as "archivedKey", coalesce(a.bytes, 0) as "archivedBytes"
    from (select count(*) as chunks, coalesce(sum(octet_length(body)), 0)::bigint as bytes from log_chunk
      where run_id = ${runId} and dispatch_id = ${uuid}::uuid) c
    left join log_archive a on a.run_id = ${runId} and a.dispatch_id = ${uuid}::uuid
    left join dag_run r on r.id = ${runId}
    left join dag d on d.id = r.dag_id
    left join dag_version_task v on v.version_id = r.version_id and v.task_index = ${taskIndex}
    left join task_try y on y.run_id = ${runId} and y.task_index = ${taskIndex} and y.map_index = ${mapIndex}
      and y.dispatch_id = ${uuid}::uuid`.execute(db);
  const [facts] = rows;
  if (!facts) throw new Error('A query without conditions gave no row.');
  return facts;
}

type Claimed = Pick<DueLog, 'runId' | 'uuid'> & { claim: string };

/** It is looked at again after so many seconds, or before, once it has grown. `failed`: counted as an attempt. */
export async function postponeDueLog(
  db: Db,
  { runId, uuid, claim }: Claimed,
  { seconds, failed }: { seconds: number; failed: boolean },
): Promise<void> {
  await sql`
    update log_due set look_at = clock_timestamp() + ${seconds} * interval '1 second', claim = null,
      attempts = case when ${failed} then attempts + 1 else attempts end
    where run_id = ${runId} and dispatch_id = ${uuid}::uuid and claim = ${claim}::uuid`.execute(db);
}

/** The store works again: what had failed is looked at now. */
export async function hastenDueLogs(db: Db): Promise<void> {
  await sql`update log_due set look_at = clock_timestamp(), attempts = 0 where attempts > 0 and claim is null`.execute(
    db,
  );
}

export async function dropDueLog(db: Db, { runId, uuid, claim }: Claimed): Promise<void> {
  await sql`delete from log_due where run_id = ${runId} and dispatch_id = ${uuid}::uuid and claim = ${claim}::uuid`.execute(
    db,
  );
}

/** Before anything is written under the key. What a former taker may have written under another one is no use to anybody. */
export async function nameDueLog(db: Db, { runId, uuid, claim }: Claimed, store: string, key: string): Promise<void> {
  await sql`
    with former as (
      select key from log_due where run_id = ${runId} and dispatch_id = ${uuid}::uuid and key <> ${key}),
    t as (
      insert into log_trash (store, key) select ${store}, former.key from former
      where not exists (select from log_archive a where a.run_id = ${runId} and a.dispatch_id = ${uuid}::uuid and a.key = former.key))
    update log_due set key = ${key} where run_id = ${runId} and dispatch_id = ${uuid}::uuid and claim = ${claim}::uuid`.execute(
    db,
  );
}

/**
 * The moment when a log has moved. `lost`: somebody else has taken it meanwhile; `grown`: chunks have come that the archive does not
 * hold. Both leave everything as it is.
 */
export async function recordArchived(
  db: Db,
  claimed: Claimed,
  { archive, chunks }: { archive: ArchivedLog; chunks: number },
): Promise<'archived' | 'lost' | 'grown'> {
  class Undo extends Error {}
  try {
    return await db.transaction().execute(async (trx) => {
      if ((await deleteClaimed(trx, claimed)) === 0) return 'lost';
      if ((await deleteChunks(trx, claimed)) !== chunks) throw new Undo();
      await upsertArchive(trx, claimed, archive);
      return 'archived';
    });
  } catch (error) {
    if (error instanceof Undo) return 'grown';
    throw error;
  }
}

async function deleteClaimed(trx: Transaction<DB>, { runId, uuid, claim }: Claimed): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from log_due where run_id = ${runId} and dispatch_id = ${uuid}::uuid and claim = ${claim}::uuid`.execute(
    trx,
  );
  return Number(numAffectedRows ?? 0);
}

async function deleteChunks(trx: Transaction<DB>, { runId, uuid }: Claimed): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from log_chunk where run_id = ${runId} and dispatch_id = ${uuid}::uuid`.execute(trx);
  return Number(numAffectedRows ?? 0);
}

/** Readers may be in the middle of the one before. */
const TRASH_AFTER_SECONDS = 300;

async function upsertArchive(trx: Transaction<DB>, { runId, uuid }: Claimed, archive: ArchivedLog): Promise<void> {
  await sql`
    insert into log_trash (store, key, look_at)
    select a.store, a.key, clock_timestamp() + ${TRASH_AFTER_SECONDS} * interval '1 second' from log_archive a
    where a.run_id = ${runId} and a.dispatch_id = ${uuid}::uuid and (a.store, a.key) <> (${archive.store}, ${archive.key})`.execute(
    trx,
  );
  await sql`
    insert into log_archive (run_id, dispatch_id, bytes, lines, stored_bytes, store, key, blocks)
    values (${runId}, ${uuid}::uuid, ${archive.bytes}, ${archive.lines},
      ${archive.blocks.reduce((sum, { size }) => sum + size, 0)}, ${archive.store}, ${archive.key}, ${archivedBlocks(archive.blocks)}::json)
    on conflict (run_id, dispatch_id) do update set archived_at = excluded.archived_at, bytes = excluded.bytes, lines = excluded.lines,
      stored_bytes = excluded.stored_bytes, store = excluded.store, key = excluded.key, blocks = excluded.blocks`.execute(
    trx,
  );
}

/** What of this DAG lies in stores is to be deleted there. With the deletion of its rows. */
export async function trashLogsOfDag(trx: Transaction<DB>, dagId: number): Promise<void> {
  await sql`
    with gone as (delete from log_due where run_id in (select id from dag_run where dag_id = ${dagId}) returning key)
    insert into log_trash (store, key)
    select a.store, a.key from log_archive a where a.run_id in (select id from dag_run where dag_id = ${dagId})
    union all
    select s.name, gone.key from gone join log_store s on s.current where gone.key is not null`.execute(trx);
}

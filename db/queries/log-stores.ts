/** Which store logs are archived to, how it does, and what is to be deleted in stores. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** From now on logs of at least `archiveFrom` bytes are due for this store; null: all stay in Postgres. True: it was another one before. */
export async function setCurrentLogStore(
  db: Db,
  store: { name: string; archiveFrom: number } | null,
): Promise<{ changed: boolean }> {
  return db.transaction().execute(async (trx) => {
    const { rows: before } = await sql<{ name: string }>`
      update log_store set current = false where current returning name`.execute(trx);
    if (store)
      await sql`
        insert into log_store (name, current, archive_from, seeded_to) values (${store.name}, true, ${store.archiveFrom}, 0)
        on conflict (name) do update set current = true, archive_from = excluded.archive_from,
          seeded_to = case when ${before[0]?.name ?? ''} <> excluded.name or log_store.archive_from > excluded.archive_from then 0
            else log_store.seeded_to end`.execute(trx);
    return { changed: (before[0]?.name ?? null) !== (store?.name ?? null) };
  });
}

/**
 * Logs of the next runs that were there before the store are due as well. True: there may be more of them.
 */
export async function seedDueLogs(db: Db, runs: number): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const { rows: stores } = await sql<{ name: string; from: number; archive_from: number }>`
      select name, seeded_to as "from", archive_from from log_store where current and seeded_to is not null for update skip locked`.execute(
      trx,
    );
    const [store] = stores;
    if (!store) return false;
    const { rows } = await sql<{ id: number }>`
      select id from dag_run where id > ${store.from} order by id limit ${runs}`.execute(trx);
    const to = rows.at(-1)?.id;
    if (to !== undefined)
      await sql`
        insert into log_due (run_id, dispatch_id, task_index, map_index)
        select y.run_id, y.dispatch_id, y.task_index, y.map_index from task_try y
        where y.run_id > ${store.from} and y.run_id <= ${to} and y.dispatch_id is not null and exists (
          select from log_chunk c where c.run_id = y.run_id and c.dispatch_id = y.dispatch_id
            and c.byte_offset + octet_length(c.body) > ${store.archive_from})
        on conflict do nothing`.execute(trx);
    await sql`update log_store set seeded_to = ${rows.length < runs ? null : (to ?? null)} where name = ${store.name}`.execute(
      trx,
    );
    return rows.length === runs;
  });
}

/** Null: it works. Kept with the moment since when it does not. True: this is news. */
export async function recordLogStoreHealth(db: Db, name: string, error: string | null): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update log_store set last_error = ${error},
      failing_since = case when ${error}::text is null then null else coalesce(failing_since, clock_timestamp()) end
    where name = ${name} and last_error is distinct from ${error}`.execute(db);
  return Number(numAffectedRows ?? 0) > 0;
}

export interface LogStoreHealth {
  name: string;
  /** Null: it works. */
  failingSince: Date | null;
  lastError: string | null;
  /** Logs that are to go there, up to a bound. */
  waiting: number;
}

/** Nobody needs to know more exactly how many there are beyond it. */
export const MOST_COUNTED_LOGS = 100_000;

/** Of the store that logs go to; undefined: they stay in Postgres. */
export async function readLogStoreHealth(db: Db): Promise<LogStoreHealth | undefined> {
  const { rows } = await sql<LogStoreHealth>`
    select s.name, s.failing_since as "failingSince", s.last_error as "lastError",
      (select count(*)::int from (select from log_due limit ${MOST_COUNTED_LOGS}) d) as waiting
    from log_store s where s.current`.execute(db);
  return rows[0];
}

export interface TrashedLog {
  id: number;
  key: string;
}

/** Objects to delete in this store, oldest first; taken for `seconds`. */
export async function claimTrashedLogs(
  db: Db,
  { store, limit, seconds }: { store: string; limit: number; seconds: number },
): Promise<TrashedLog[]> {
  const { rows } = await sql<TrashedLog>`
    with k as materialized (
      select id from log_trash where store = ${store} and look_at <= clock_timestamp()
      order by look_at limit ${limit} for update skip locked)
    update log_trash t set look_at = clock_timestamp() + ${seconds} * interval '1 second' from k where t.id = k.id
    returning t.id, t.key`.execute(db);
  return rows;
}

export async function forgetTrashedLogs(db: Db, ids: readonly number[]): Promise<void> {
  await sql`delete from log_trash where id = any(${ids}::bigint[])`.execute(db);
}

/** Where the logs of these dispatches lie, in their order; null: in Postgres. */
export async function findLogStores(
  db: Db,
  keys: readonly { runId: number; dispatchId: string }[],
): Promise<(string | null)[]> {
  const { rows } = await sql<{ dispatch_id: string; store: string }>`
    select a.dispatch_id, a.store from unnest(${keys.map(({ runId }) => runId)}::bigint[], ${keys.map(({ dispatchId }) => dispatchId)}::uuid[])
      k(run_id, dispatch_id) join log_archive a using (run_id, dispatch_id)`.execute(db);
  const found = new Map(rows.map(({ dispatch_id, store }) => [dispatch_id, store]));
  return keys.map(({ dispatchId }) => found.get(dispatchId) ?? null);
}

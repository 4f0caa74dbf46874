import { sql, type Transaction } from 'kysely';
import type { DB } from '#db/types.ts';

/** The first of these that no other transaction has, locked until this one ends; `locks` tells kinds of things apart. */
export async function firstLocked<Row extends { id: number }>(
  trx: Transaction<DB>,
  locks: number,
  rows: readonly Row[],
): Promise<Row | null> {
  for (const row of rows) if (await tryLock(trx, locks, row.id)) return row;
  return null;
}

export async function tryLock(trx: Transaction<DB>, locks: number, id: number): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(${locks}::int, hashint8(${id}::bigint)) as locked`.execute(trx);
  return rows[0]?.locked ?? false;
}

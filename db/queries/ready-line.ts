/** The lines of ready tasks as they stand, for whoever keeps a copy of them. Those of the service itself are left out. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { ReadyRow } from './task-transitions/ready-rows.ts';

/** Queues in which something stands: one look-up each. */
export async function listReadyQueues(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    with recursive line(name) as (
      select min(queue) from ready_task
      union all select (select min(y.queue) from ready_task y where y.queue > l.name) from line l where l.name is not null)
    select name from line where name is not null and name not like '@%'`.execute(db);
  return rows.map((row) => row.name);
}

/** In the order of the line, from behind `after` on. */
export async function readLine(
  db: Db,
  queue: string,
  { after, limit }: { after: Omit<ReadyRow, 'queue'> | null; limit: number },
): Promise<ReadyRow[]> {
  const rest = after === null ? sql`true` : sql`(rank, id) > (${after.rank}, ${after.id})`;
  const { rows } = await sql<ReadyRow>`
    select queue, rank, id from ready_task where queue = ${queue} and ${rest} order by rank, id limit ${limit}`.execute(
    db,
  );
  return rows;
}

export async function countLine(db: Db, queue: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from ready_task where queue = ${queue}`.execute(
    db,
  );
  return rows[0]?.n ?? 0;
}

/** What tells this database from others that share a broker with it. */
export async function databaseMark(db: Db): Promise<string> {
  const { rows } = await sql<{ mark: string }>`
    select left(md5(concat_ws(':', d.datname, d.oid, (select min(applied_at) from schema_migration))), 12) as mark
    from pg_database d where d.datname = current_database()`.execute(db);
  return rows[0]!.mark;
}

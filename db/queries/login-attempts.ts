/** Attempts to sign in of late, by whatever key, counted by all servers together. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** Counts one of each: how many there are in the window, with this one. A window begins with its first attempt. */
export async function countLoginAttempts(db: Db, keys: readonly string[], windowMs: number): Promise<number[]> {
  const { rows } = await sql<{ key: string; count: number }>`
    with clk as materialized (select clock_timestamp() ts),
    gone as (delete from login_attempt where key in (select key from login_attempt, clk where until < ts order by until limit 100) and key <> all (${keys}::text[]))
    insert into login_attempt as a (key, count, until)
    select key, 1, ts + ${windowMs} * interval '1 millisecond' from clk, unnest(${keys}::text[]) key order by key
    on conflict (key) do update set
      count = case when a.until < (select ts from clk) then 1 else a.count + 1 end,
      until = case when a.until < (select ts from clk) then excluded.until else a.until end
    returning key, count`.execute(db);
  const counts = new Map(rows.map(({ key, count }) => [key, count]));
  return keys.map((key) => counts.get(key) ?? 0);
}

export async function forgetLoginAttempts(db: Db, key: string): Promise<void> {
  await db.deleteFrom('login_attempt').where('key', '=', key).execute();
}

import { sql, type RawBuilder } from 'kysely';

/** Milliseconds by which a clock that shows this is ahead of the database's, give or take the way there; at most some days. */
export const clockAhead = (now: Date): RawBuilder<number> =>
  sql<number>`greatest(-1e9, least(1e9, extract(epoch from ${now.toISOString()}::timestamptz - clock_timestamp()) * 1000))::int`;

/** What the database says of itself. */
import type pg from 'pg';
import { PARTITIONED, spanOf } from '../partitions.ts';

export interface DatabaseFacts {
  version: string;
  settings: { [name: string]: string };
  /** That anybody but superusers may open. */
  mostConnections: number;
  openConnections: number;
  isReplica: boolean;
}

export async function readDatabaseFacts(pool: pg.Pool): Promise<DatabaseFacts> {
  const { rows } = await pool.query<DatabaseFacts>(`
    select current_setting('server_version') as version,
      (select json_object_agg(name, setting) from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'track_counts')) as settings,
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as "mostConnections",
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as "openConnections",
      pg_is_in_recovery() as "isReplica"`);
  return rows[0]!;
}

export interface LongTransaction {
  pid: number;
  application: string;
  state: string;
  seconds: number;
}

/** Nothing that came after their start can be cleaned up, and events behind them are not read. */
export async function readLongTransactions(pool: pg.Pool, seconds: number): Promise<LongTransaction[]> {
  const { rows } = await pool.query<LongTransaction>(
    `select pid, coalesce(nullif(application_name, ''), 'a client without a name') as application, coalesce(state, '') as state,
       extract(epoch from now() - xact_start)::int as seconds
     from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
       and xact_start < now() - $1 * interval '1 second'
     order by xact_start limit 10`,
    [seconds],
  );
  return rows;
}

export interface BloatedTable {
  name: string;
  dead: number;
  live: number;
}

/** As the statistics have it: more dead rows than living ones. */
export async function readBloatedTables(pool: pg.Pool, leastDead: number): Promise<BloatedTable[]> {
  const { rows } = await pool.query<BloatedTable>(
    `select relname as name, n_dead_tup as dead, n_live_tup as live from pg_stat_user_tables
     where n_dead_tup > $1 and n_dead_tup > n_live_tup order by n_dead_tup desc limit 10`,
    [leastDead],
  );
  return rows;
}

/** Partitions of these days and the next ones that are not there. */
export async function missingPartitions(pool: pg.Pool): Promise<{ now: string[]; next: string[] }> {
  const { rows } = await pool.query<{ now: Date; names: string[] }>(
    `select now() as now, coalesce(array_agg(c.relname::text), '{}') as names
     from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent where p.relname = any ($1)`,
    [Object.keys(PARTITIONED)],
  );
  const { now, names } = rows[0]!;
  const there = new Set(names);
  const missing = (offset: number) =>
    Object.keys(PARTITIONED)
      .map((table) => `${table}_${spanOf(now, offset).name}`)
      .filter((name) => !there.has(name));
  return { now: missing(0), next: missing(1) };
}

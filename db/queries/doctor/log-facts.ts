/** How the log store does, and which logs show whether they can be read. */
import type pg from 'pg';
import { MOST_COUNTED_LOGS } from '../log-stores.ts';

export interface LogStoreFacts {
  name: string;
  /** Logs go there now; otherwise they did once. */
  isCurrent: boolean;
  failingSince: Date | null;
  lastError: string | null;
  /** Of all stores: logs that are to go to the current one, up to a bound. */
  waiting: number;
  /** How long the first of them should have been looked at. */
  lateSeconds: number;
}

export async function readLogStoreFacts(pool: pg.Pool): Promise<LogStoreFacts[]> {
  const { rows } = await pool.query<LogStoreFacts>(
    `select name, current as "isCurrent", failing_since as "failingSince", last_error as "lastError",
       (select count(*)::int from (select from log_due limit $1) d) as waiting,
       coalesce((select extract(epoch from clock_timestamp() - min(look_at))::int from log_due), 0) as "lateSeconds"
     from log_store order by name`,
    [MOST_COUNTED_LOGS],
  );
  return rows;
}

/** Further back nobody looks. */
const NEWEST = 10_000;

/** The newest log in each store that has one lately. */
export async function newestArchivedLogs(
  pool: pg.Pool,
): Promise<{ store: string; runId: number; dispatchId: string }[]> {
  const { rows } = await pool.query<{ store: string; runId: number; dispatchId: string }>(
    `select distinct on (store) store, run_id as "runId", dispatch_id as "dispatchId"
     from (select store, run_id, dispatch_id from log_archive order by run_id desc limit $1) a order by store, run_id desc`,
    [NEWEST],
  );
  return rows;
}

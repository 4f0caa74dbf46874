/** Who runs, by their beats. */
import type pg from 'pg';

export interface ProcessFacts {
  role: 'server' | 'scheduler' | 'worker';
  /** `server on host-1 (pid 7)`, `worker gpu-3`. */
  who: string;
  version: string;
  silentSeconds: number;
  /** How far its clock is ahead of the database's; null: it does not say. */
  clockMs: number | null;
  /** Connections to the database that it may open; null: it has none, or does not say. */
  connections: number | null;
  queues: string[];
}

/** Heard of within so long. */
export async function readProcessFacts(pool: pg.Pool, seconds: number): Promise<ProcessFacts[]> {
  const { rows } = await pool.query<ProcessFacts>(
    `select * from (
       select role::text as role, format('%s on %s (pid %s)', role, hostname, pid) as who, version,
         extract(epoch from clock_timestamp() - last_beat_at)::float8 as "silentSeconds", clock_ms as "clockMs", connections, '{}'::text[] as queues
       from service_process where last_beat_at > now() - $1 * interval '1 second'
       union all
       select 'worker', format('worker %s', name), version, extract(epoch from clock_timestamp() - last_beat_at)::float8, clock_ms, null, queues
       from worker where state = 'online' and last_beat_at > now() - $1 * interval '1 second') p
     order by role, who limit 1000`,
    [seconds],
  );
  return rows;
}

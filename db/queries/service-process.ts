/** The processes of the service, by their beats. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { clockAhead } from './clock-ahead.ts';
import { LEASE_SECONDS } from './task-transitions/statement.ts';

export interface ProcessInfo {
  id: string;
  role: 'server' | 'scheduler';
  hostname: string;
  pid: number;
  version: string;
  /** To this database, that it may open. */
  connections: number;
}

/** Seconds without a beat after which a process counts as silent. */
const SILENCE_SECONDS = 15;

/** The time goes along: how far the clock here is ahead of the database's, give or take the way there. */
export async function beatProcess(db: Db, info: ProcessInfo): Promise<void> {
  await sql`
    insert into service_process (id, role, hostname, pid, version, connections, clock_ms)
    values (${info.id}, ${info.role}, ${info.hostname}, ${info.pid}, ${info.version}, ${info.connections},
      ${clockAhead(new Date())})
    on conflict (id) do update set last_beat_at = now(), clock_ms = excluded.clock_ms,
      alive_since = case when service_process.last_beat_at < now() - ${SILENCE_SECONDS} * interval '1 second' then now() else service_process.alive_since end`.execute(
    db,
  );
}

export async function forgetProcess(db: Db, id: string): Promise<void> {
  await db.deleteFrom('service_process').where('id', '=', id).execute();
}

/** True when some server has taken heartbeats for a whole lease: only then is a silent runner the runner's own fault. */
export async function couldRunnersBeat(db: Db): Promise<boolean> {
  const { rows } = await sql<{ ok: boolean }>`
    select exists (select from service_process where role = 'server' and last_beat_at > now() - ${SILENCE_SECONDS} * interval '1 second'
      and alive_since < now() - ${LEASE_SECONDS} * interval '1 second') as ok`.execute(db);
  return rows[0]?.ok ?? false;
}

/** Facts of the database about the service as a whole. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { readHeldLeases, type HeldLeases } from './lease-breaker.ts';
import { readLogStoreHealth, type LogStoreHealth } from './log-stores.ts';

export interface ServiceFacts {
  now: Date;
  database: string;
  schemaVersion: string;
  workersOnline: number;
  /** Null: no scheduler has ever run, or each has said goodbye. */
  schedulerBeatAt: Date | null;
}

export interface ServiceHealth extends ServiceFacts {
  heldLeases: HeldLeases | null;
  /** Null: logs stay in Postgres. */
  logStore: LogStoreHealth | null;
}

export async function readServiceHealth(db: Db): Promise<ServiceHealth> {
  const [facts, held, logStore] = await Promise.all([readServiceFacts(db), readHeldLeases(db), readLogStoreHealth(db)]);
  return { ...facts, heldLeases: held ?? null, logStore: logStore ?? null };
}

export async function readServiceFacts(db: Db): Promise<ServiceFacts> {
  const { rows } = await sql<ServiceFacts>`
    select clock_timestamp()::timestamptz(3) as now, current_setting('server_version') as database,
      (select max(name) from schema_migration) as "schemaVersion",
      (select count(*)::int from worker where state = 'online') as "workersOnline",
      (select max(last_beat_at) from service_process where role = 'scheduler') as "schedulerBeatAt"`.execute(db);
  const facts = rows[0];
  if (!facts) throw new Error('The database gave no row for its own state.');
  return facts;
}

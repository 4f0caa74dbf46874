/** Examines a deployment: each check looks at one thing, and one that cannot look says so. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Db } from '#db/client.ts';
import {
  missingPartitions,
  readBloatedTables,
  readDatabaseFacts,
  readLongTransactions,
} from '#db/queries/doctor/database-facts.ts';
import { readProcessFacts, type ProcessFacts } from '#db/queries/doctor/process-facts.ts';
import { readFailingSources } from '#db/queries/doctor/source-facts.ts';
import { readOverdue, readStuckConsumers, readWaitingQueues } from '#db/queries/doctor/work-facts.ts';
import { readHeldLeases } from '#db/queries/lease-breaker.ts';
import { checkSchema } from '#db/schema-check.ts';
import type { CheckResult, Doctor, Finding } from '#schema/doctor.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { judgeBloat, judgeConnections, judgeDatabase, judgePartitions, judgeTransactions } from './check-database.ts';
import { checkNewestRuns, checkRun } from './check-events.ts';
import { checkLogs } from './check-logs.ts';
import { judgeClocks, judgeLeases, judgeReleases, judgeRoles } from './check-processes.ts';
import { judgeSources } from './check-sources.ts';
import { judgeConsumers, judgeOverdue, judgeQueues } from './check-work.ts';

export interface DoctorDeps {
  db: Db;
  pool: pg.Pool;
  version: string;
  /** So long a transaction may be open. */
  longTransactionSeconds?: number;
  /** Those of the server that answers. */
  logs: Pick<LogReader, 'read'>;
}

interface Check {
  name: string;
  run(): Promise<Finding[]>;
}

const LONG_TRANSACTION_SECONDS = 300;
const MANY_DEAD_ROWS = 1_000_000;
const OVERDUE_SECONDS = 30;
/** Processes that have been silent for longer are history. */
const REMEMBERED_SECONDS = 600;
const PATIENCE_MS = 15_000;

export function createDoctor(deps: DoctorDeps): Doctor {
  const { pool } = deps;
  return async ({ runId }) => {
    const checks = runId === null ? await checksOf(deps) : [{ name: 'events', run: () => checkRun(pool, runId) }];
    const results: CheckResult[] = [];
    // One after another: an examination must not be a load
    for (const check of checks) results.push({ name: check.name, findings: await attempt(check) });
    return results;
  };
}

async function checksOf(deps: DoctorDeps): Promise<Check[]> {
  const { db, pool, version, longTransactionSeconds = LONG_TRANSACTION_SECONDS, logs } = deps;
  const processes = await readProcessFacts(pool, REMEMBERED_SECONDS);
  return [
    { name: 'database', run: async () => judgeDatabase(await readDatabaseFacts(pool)) },
    { name: 'schema', run: () => judgeSchema(pool, version) },
    { name: 'connections', run: async () => judgeConnections(await readDatabaseFacts(pool), processes) },
    {
      name: 'transactions',
      run: async () => judgeTransactions(await readLongTransactions(pool, longTransactionSeconds)),
    },
    { name: 'tables', run: async () => judgeBloat(await readBloatedTables(pool, MANY_DEAD_ROWS)) },
    { name: 'partitions', run: async () => judgePartitions(await missingPartitions(pool)) },
    { name: 'processes', run: async () => judgeRoles(processes) },
    { name: 'releases', run: async () => judgeReleases(processes, version) },
    { name: 'clocks', run: async () => judgeClocks(processes, await ownClockMs(pool)) },
    { name: 'leases', run: async () => judgeLeases(await readHeldLeases(db)) },
    { name: 'queues', run: async () => judgeQueues(await readWaitingQueues(pool), heard(processes)) },
    { name: 'deadlines', run: async () => judgeOverdue(await readOverdue(pool, OVERDUE_SECONDS)) },
    { name: 'consumers', run: async () => judgeConsumers(await readStuckConsumers(pool)) },
    { name: 'sources', run: async () => judgeSources(await readFailingSources(pool)) },
    { name: 'logs', run: () => checkLogs(pool, logs) },
    { name: 'events', run: () => checkNewestRuns(pool) },
  ];
}

const LEASE_SECONDS = 60;
const heard = (processes: readonly ProcessFacts[]) => processes.filter((one) => one.silentSeconds < LEASE_SECONDS);

async function judgeSchema(pool: pg.Pool, version: string): Promise<Finding[]> {
  const what = await checkSchema(pool, version);
  return what === null ? [] : [{ severity: 'error', what, where: 'schema', advice: 'Let one release serve all.' }];
}

/** How far this process's clock is ahead of the database's, give or take the way there and back. */
async function ownClockMs(pool: pg.Pool): Promise<number> {
  const before = Date.now();
  const { rows } = await pool.query<{ now: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  return (before + Date.now()) / 2 - rows[0]!.now;
}

async function attempt({ name, run }: Check): Promise<Finding[]> {
  const patience = new AbortController();
  const late = sleep(PATIENCE_MS, null, { signal: patience.signal, ref: false }).catch(() => null);
  const running = run().catch((error: unknown) => [failed(name, (error as Error).message)]);
  const findings = await Promise.race([running, late]);
  patience.abort();
  return findings ?? [failed(name, `it took longer than ${PATIENCE_MS / 1000} s`)];
}

const failed = (name: string, why: string): Finding => ({
  severity: 'error',
  what: `This could not be looked at: ${why}`,
  where: name,
  advice: 'Look at the database and at the log of the server.',
});

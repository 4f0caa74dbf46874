import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { typeParsers } from './client.ts';
import { readMigrations, type Migration } from './migrations.ts';
import { findOldProcesses } from './queries/process-releases.ts';
import { ensurePartitions } from './queries/partitions.ts';
import { prepareLedger } from './queries/schema-ledger.ts';

/** Serialises migrators; any constant does. */
const LOCK = 7_264_000;
/** Whoever waits for a table makes all others wait behind it: it lets go, and tries again. */
const LOCK_TIMEOUT = '3s';
const PATIENCE_MS = 180_000;
const LOCK_NOT_AVAILABLE = '55P03';

export interface MigrateOptions {
  /** Kept with each migration; whoever runs an older one finds out whether it may go on. */
  release?: string;
  /** Instead of those of this build. */
  migrations?: readonly Migration[];
  /** How long locks that others hold are waited for, in all. */
  patienceMs?: number;
}

/** Brings the schema up to date and returns the names it applied. Concurrent callers wait for each other. */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const applied = await applyNew(url, options);
  const pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'millrace migrate', types: typeParsers });
  // Without a listener the end of an idle connection ends the process; a query on it would fail by itself.
  pool.on('error', () => undefined);
  try {
    await ensurePartitions(pool);
  } finally {
    await pool.end();
  }
  return applied;
}

async function applyNew(url: string, options: MigrateOptions): Promise<string[]> {
  const migrations = options.migrations ?? (await readMigrations());
  const client = new pg.Client({ connectionString: url, application_name: 'millrace migrate', keepAlive: true });
  // Its query tells of it; the event alone would end the process
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Must come first: a concurrent migrator would otherwise race us to create the ledger. It ends with the connection.
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await client.query(`set lock_timeout = '${LOCK_TIMEOUT}'`);
    const before = await prepareLedger(client);
    const due = migrations.filter(({ name }) => !before.has(name));
    const until = performance.now() + (options.patienceMs ?? PATIENCE_MS);
    for (const migration of due) {
      await refuseWhileNeeded(client, migration);
      await applyInTime(client, migration, { until, release: options.release ?? null });
    }
    return due.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

/** What takes something away waits for the last process that uses it. */
async function refuseWhileNeeded(client: pg.ClientBase, { name, needs }: Migration): Promise<void> {
  if (needs === null) return;
  const old = await findOldProcesses(client, needs);
  if (old.length === 0) return;
  throw new Error(
    `Migration ${name} takes away what releases before ${needs} use, and these still run: ${old.join('; ')}. ` +
      'Upgrade or stop them, then migrate again. What came before it is applied, and nothing is broken.',
  );
}

async function applyInTime(
  client: pg.ClientBase,
  migration: Migration,
  { until, release }: { until: number; release: string | null },
): Promise<void> {
  for (;;) {
    try {
      return await apply(client, migration, release);
    } catch (error) {
      const { name } = migration;
      const isBlocked = (error as { code?: string }).code === LOCK_NOT_AVAILABLE;
      const why = isBlocked
        ? `others hold what it has to lock: ${(await longTransactions(client)).join('; ') || 'nobody in particular'}. End them, or migrate again at a quieter time`
        : (error as Error).message;
      if (!isBlocked || performance.now() > until)
        throw new Error(`Migration ${name} failed and was rolled back: ${why}`, { cause: error });
      await sleep(500 + 1000 * Math.random());
    }
  }
}

async function apply(client: pg.ClientBase, { name, sql, needs }: Migration, release: string | null): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('insert into schema_migration (name, release, needs) values ($1, $2, $3)', [
      name,
      release,
      needs,
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** For people: who keeps a transaction open for longer than a migration waits. */
async function longTransactions(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ who: string }>(
    `select format('%s (pid %s, %s, for %s s)', coalesce(nullif(application_name, ''), 'a client'), pid, state,
       extract(epoch from now() - xact_start)::int) as who
     from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - interval '3 s'
     order by xact_start limit 3`,
  );
  return rows.map((row) => row.who);
}

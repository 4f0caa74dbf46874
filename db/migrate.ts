import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { typeParsers } from './client.ts';
import { ensurePartitions } from './queries/partitions.ts';

/** Serialises migrators; any constant does. */
const LOCK = 7_264_000;

/** Numbered SQL files. In a bundle they lie beside the package's root, two or more folders up. */
function migrationsDirectory(): URL {
  for (const path of ['./migrations/', '../db/migrations/', '../../db/migrations/', '../../../db/migrations/']) {
    const url = new URL(path, import.meta.url);
    if (existsSync(new URL('0001_initial.sql', url))) return url;
  }
  throw new Error(`No migrations found beside ${fileURLToPath(import.meta.url)}: the installation is incomplete.`);
}

async function listMigrations(): Promise<{ directory: URL; files: string[] }> {
  const directory = migrationsDirectory();
  return { directory, files: (await readdir(directory)).filter((name) => /^\d+_.*\.sql$/.test(name)).sort() };
}

/** Changes with any migration: databases of the same hash have the same schema. */
export async function migrationsHash(): Promise<string> {
  const { directory, files } = await listMigrations();
  const hash = createHash('sha256');
  for (const name of files) hash.update(`${name}\0`).update(await readFile(new URL(name, directory)));
  return hash.digest('hex');
}

async function appliedNames(client: pg.ClientBase): Promise<Set<string>> {
  await client.query(
    `create table if not exists schema_migration (name text primary key, applied_at timestamptz(3) not null default now())`,
  );
  const { rows } = await client.query<{ name: string }>('select name from schema_migration');
  return new Set(rows.map((row) => row.name));
}

async function apply(client: pg.ClientBase, name: string, sql: string): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('insert into schema_migration (name) values ($1)', [name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`Migration ${name} failed and was rolled back: ${(error as Error).message}`, { cause: error });
  }
}

/** Brings the schema up to date and returns the names it applied. Concurrent callers wait for each other. */
export async function migrate(url: string): Promise<string[]> {
  const applied = await applyNew(url);
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

async function applyNew(url: string): Promise<string[]> {
  const { directory, files } = await listMigrations();
  const client = new pg.Client({ connectionString: url, application_name: 'millrace migrate' });
  await client.connect();
  try {
    // Must come first: a concurrent migrator would otherwise race us to create schema_migration. It ends with the connection.
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    const before = await appliedNames(client);
    const names = files.filter((name) => !before.has(name));
    for (const name of names) await apply(client, name, await readFile(new URL(name, directory), 'utf8'));
    return names;
  } finally {
    await client.end();
  }
}

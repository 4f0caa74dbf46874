/** The one PostgreSQL of a run, with the product's embedded settings, and fresh databases in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { typeParsers } from '#db/client.ts';
import { startEmbeddedPostgres } from '#db/embedded.ts';
import { migrate } from '#db/migrate.ts';

const TEMPLATE = 'bench_template';

export interface BenchPostgres {
  pid: number;
  dataDir: string;
  /** Of the whole server, for figures that are not one database's. */
  admin: pg.Client;
  version: string;
  urlOf(database: string): string;
  /** A new database: migrated (the default), empty, or a copy of another one. */
  create(name: string, from?: 'migrated' | 'empty' | { copyOf: string }): Promise<string>;
  drop(name: string): Promise<void>;
  /** Everything written, so that no round pays for the one before. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPostgres({ keep }: { keep: boolean }): Promise<BenchPostgres> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const server = await startEmbeddedPostgres({ dataDir: join(home, 'postgres') });
  const urlOf = (database: string) => {
    const url = new URL(server.url);
    url.pathname = `/${database}`;
    return url.href;
  };
  const admin = new pg.Client({ connectionString: server.url, types: typeParsers, application_name: 'bench' });
  await admin.connect();
  await admin.query(`create database ${TEMPLATE}`);
  await migrate(urlOf(TEMPLATE));
  const { rows } = await admin.query<{ server_version: string }>('show server_version');

  return {
    pid: server.pid,
    dataDir: home,
    admin,
    version: rows[0]?.server_version ?? 'unknown',
    urlOf,
    async create(name, from = 'migrated') {
      const template = from === 'migrated' ? TEMPLATE : from === 'empty' ? 'template0' : from.copyOf;
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.query(`create database ${name} template ${template}`);
      return urlOf(name);
    },
    async drop(name) {
      // A backend goes a moment after its client
      for (let look = 0; look < 100 && (await hasClients(admin, name)); look++) await sleep(20);
      await admin.query(`drop database if exists ${name} with (force)`);
    },
    async settle() {
      await admin.query('checkpoint');
    },
    async stop() {
      await admin.end();
      await server.stop();
      if (keep) process.stderr.write(`Databases are kept in ${home}\n`);
      else rmSync(home, { recursive: true, force: true });
    },
  };
}

async function hasClients(admin: pg.Client, database: string): Promise<boolean> {
  const { rows } = await admin.query(
    `select from pg_stat_activity where datname = $1 and backend_type = 'client backend' limit 1`,
    [database],
  );
  return rows.length > 0;
}

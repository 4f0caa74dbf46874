import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../db/embedded.ts';
import { migrate } from '../db/migrate.ts';
import { buildWhenStale } from './helpers/build.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

export const TEMPLATE = 'millrace_template';

/** One PostgreSQL for the whole run with a migrated template database, and a fresh dist/ for the tests that start processes. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  const [server] = await Promise.all([
    startEmbeddedPostgres({ dataDir: join(home, 'postgres'), ephemeral: true, flags: ['-c', 'max_connections=400'] }),
    buildWhenStale(),
  ]);
  const stop = async () => {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`create database ${TEMPLATE}`);
    await admin.end();
    const url = new URL(server.url);
    url.pathname = `/${TEMPLATE}`;
    await migrate(url.href);
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('postgresUrl', server.url);
  return stop;
}

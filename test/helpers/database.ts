import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, inject } from 'vitest';
import { createDatabase, type Database, type DatabaseOptions } from '../../db/client.ts';

const TEMPLATE = 'millrace_template';

export interface TestDatabase extends Database {
  name: string;
}

async function asAdmin<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: inject('postgresUrl'), application_name: 'test admin' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * A migrated database of one's own, dropped after the test file. Call it in `beforeAll` or at the file's top. Connections that the
 * test left open beside the given pool fail the file: something was started and not stopped.
 */
export async function createTestDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const name = `t_${process.pid}_${randomBytes(4).toString('hex')}`;
  await asAdmin((admin) => admin.query(`create database ${name} template ${TEMPLATE}`));
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  const database = createDatabase(url.href, { applicationName: 'test', ...options });
  afterAll(async () => {
    await database.close();
    await asAdmin(async (admin) => {
      const leaked = await connectionsLeft(admin, name);
      await admin.query(`drop database ${name} with (force)`);
      if (leaked.length > 0) throw new Error(`Connections left open to the test's database: ${leaked.join('; ')}`);
    });
  });
  return { ...database, name };
}

/** A backend goes a moment after its client, so look for up to two seconds. */
async function connectionsLeft(admin: pg.Client, name: string): Promise<string[]> {
  for (let look = 0; ; look++) {
    const { rows } = await admin.query<{ who: string }>(
      `select concat_ws(', ', application_name, state, left(query, 80)) as who from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    );
    if (rows.length === 0 || look === 40) return rows.map((row) => row.who);
    await admin.query('select pg_sleep(0.05)');
  }
}

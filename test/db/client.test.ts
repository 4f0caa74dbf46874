import { expect, it } from 'vitest';
import { sql } from 'kysely';
import { createDatabase } from '#db/client.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { openFaultyLine } from '../helpers/faulty-line.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase({ onIdleError: () => undefined });
const { pool, db } = database;

async function terminate(pid: number): Promise<void> {
  await pool.query('select pg_terminate_backend($1)', [pid]);
  await waitFor(async () => (await pool.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0, {
    what: `backend ${pid} to end`,
  });
}

it('a connection that breaks in somebody’s hand fails its next query, not the process', async () => {
  const client = await pool.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  await terminate(rows[0]!.pid);
  await expect(client.query('select 1')).rejects.toThrow(/terminat|not queryable/);
  client.release(true);
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

it('a transaction whose connection breaks fails, and the next one does not', async () => {
  const broken = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    await terminate(rows[0]!.pid);
    await sql`select 1`.execute(trx);
  });
  await expect(broken).rejects.toThrow(/terminat|not queryable/);
  const { rows } = await db.transaction().execute((trx) => sql<{ one: number }>`select 1 as one`.execute(trx));
  expect(rows).toEqual([{ one: 1 }]);
});

it('a connection that has fallen silent is given up, and its place is taken by another', async () => {
  const url = new URL(database.url);
  const line = await openFaultyLine([Number(url.port)]);
  url.port = String(line.port);
  const errors: Error[] = [];
  const impatient = createDatabase(url.href, { max: 1, silenceMs: 300, onIdleError: (error) => errors.push(error) });
  try {
    expect((await impatient.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    line.forget();
    await expect(impatient.pool.query('select 1')).rejects.toThrow(/did not answer within 0.3 s/);
    expect((await impatient.pool.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
  } finally {
    await impatient.close();
    await line.stop();
  }
});

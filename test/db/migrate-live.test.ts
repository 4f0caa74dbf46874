/** Migrations while others work: any number of migrators, killed ones, locks that others hold, and a schema that grows under a service. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { migrate } from '#db/migrate.ts';
import { readMigrations, type Migration } from '#db/migrations.ts';
import { checkSchema } from '#db/schema-check.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { startCli } from '../helpers/cli.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';
import { startRunningService } from '../helpers/running-service.ts';
import { waitFor } from '../helpers/wait-for.ts';

let database: TestDatabase;
let present: Migration[];
beforeAll(async () => {
  database = await createTestDatabase();
  present = await readMigrations();
});

const withNext = (name: string, sql: string, needs: string | null = null) => ({
  migrations: [...present, { name, sql, needs }],
  release: '0.2.0',
});

/** A transaction of somebody's own that has read a table and stays open. */
async function holdTable(table: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database.url, application_name: 'a long report' });
  await client.connect();
  await client.query(`begin; select from ${table} limit 1`);
  let isOver = false;
  const release = async () => {
    if (isOver) return;
    isOver = true;
    await client.end();
  };
  onTestFinished(release);
  return release;
}

describe('a migration that has to lock what others use', () => {
  it('never holds anybody up for long, and is applied once it can be', async () => {
    const release = await holdTable('event');
    const migrating = migrate(database.url, withNext('9001_wait.sql', 'alter table event add column test_wait int'));
    let longest = 0;
    for (const until = performance.now() + 5_000; performance.now() < until; await sleep(50)) {
      const began = performance.now();
      await database.pool.query('select from event limit 1');
      longest = Math.max(longest, performance.now() - began);
    }
    // It stands in line three seconds at a time, and those who come after it behind it
    expect(longest).toBeLessThan(4_500);
    await release();
    expect(await migrating).toEqual(['9001_wait.sql']);
  });

  it('says who is in the way when that does not end', async () => {
    await holdTable('event');
    const options = withNext('9002_never.sql', 'alter table event add column test_never int');
    await expect(migrate(database.url, { ...options, patienceMs: 0 })).rejects.toThrow(
      /Migration 9002_never.sql failed and was rolled back: others hold what it has to lock: a long report \(pid \d+, idle in transaction/,
    );
  });
});

describe('migrators that are killed', () => {
  it('leave nothing half done, however many there are', { timeout: 60_000 }, async () => {
    const admin = database.pool;
    const name = `killed_${process.pid}`;
    await admin.query(`create database ${name}`);
    onTestFinished(async () => void (await admin.query(`drop database ${name} with (force)`)));
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    const count = async () => {
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      const { rows } = await client
        .query<{ n: number }>('select count(*)::int as n from schema_migration')
        .catch(() => ({ rows: [{ n: 0 }] }));
      await client.end();
      return rows[0]!.n;
    };
    const start = () => startCli(['migrate'], { DATABASE_URL: url.href });
    for (let round = 0; round < 3; round++) {
      const before = await count();
      const both = [start(), start()];
      await waitFor(async () => (await count()) > Math.min(before, present.length - 1), { what: 'a migration' });
      await Promise.all(both.map((cli) => cli.kill('SIGKILL')));
    }
    const last = await Promise.all([start(), start(), start()].map((cli) => cli.ended));
    expect(last.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(last.map(({ stdout }) => stdout).join('')).toContain('The schema is up to date.');
    expect(await count()).toBe(present.length);
    expect(await migrate(url.href)).toEqual([]);
  });
});

describe('a migration that takes something away', () => {
  const contract = () => withNext('9003_contract.sql', 'drop table if exists no_longer_used', '0.2.0');
  const beat = (version: string) =>
    database.pool.query(
      `insert into service_process (id, role, hostname, pid, version) values ('0191e6b4-0000-7000-8000-000000000001', 'server', 'host-1', 7, $1)
       on conflict (id) do update set version = excluded.version, last_beat_at = now()`,
      [version],
    );

  it('waits for the last process that uses it', async () => {
    await beat('0.1.7');
    await expect(migrate(database.url, contract())).rejects.toThrow(
      /takes away what releases before 0.2.0 use, and these still run: server on host-1 \(pid 7\): 0.1.7\. Upgrade or stop them/,
    );
    await beat('0.2.0');
    expect(await migrate(database.url, contract())).toEqual(['9003_contract.sql']);
  });

  it('keeps away whoever is older', async () => {
    expect(await checkSchema(database.pool, '0.1.7')).toContain(
      'only Millrace 0.2.0 and later can work; this is 0.1.7',
    );
    expect(await checkSchema(database.pool, '0.2.0')).toBeNull();
  });
});

describe('a schema that grows under a running service', () => {
  it('is not noticed by it: neither by open connections nor by new processes', { timeout: 60_000 }, async () => {
    const own = database;
    const dag = {
      dagId: 'grows',
      tasks: [
        { taskId: 'first', kind: 'bash', command: 'echo 1' },
        {
          taskId: 'many',
          kind: 'bash',
          upstream: 'first',
          command: 'echo 2',
          map: { over: { kind: 'product', axes: { n: { kind: 'literal', items: [1, 2, 3] } } } },
        },
        { taskId: 'last', kind: 'empty', upstream: 'many' },
      ],
    };
    const all = { first: 'success', 'many[0]': 'success', 'many[1]': 'success', 'many[2]': 'success', last: 'success' };
    const running = await startRunningService(own);
    onTestFinished(() => running.stop());
    expect((await running.run(dag)).states).toEqual(all);
    const { rows } = await own.pool.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
         and relname <> 'schema_migration'`,
    );
    const sql = rows.map(({ name }) => `alter table ${name} add column test_added int not null default 0;`).join('\n');
    await migrate(own.url, withNext('9004_grow.sql', sql));
    // Each way of the hot statements is prepared on some connection by now
    for (let n = 0; n < 3; n++) expect((await running.run(dag)).states).toEqual(all);
    const later = await startRunningService(own);
    onTestFinished(() => later.stop());
    expect((await later.run(dag)).states).toEqual(all);
    expect([...running.app.engine.errors, ...later.app.engine.errors]).toEqual([]);
    await checkRuns(own, { finished: true });
  });
});

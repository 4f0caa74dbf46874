import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../../helpers/cli.ts';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';
import { waitFor } from '../../helpers/wait-for.ts';

let database: TestDatabase;
let env: { [name: string]: string };
beforeAll(async () => {
  database = await createTestDatabase();
  const home = mkdtempSync(join(tmpdir(), 'millrace-roles-'));
  env = { MILLRACE_HOME: home, DATABASE_URL: database.url, MILLRACE_SECRET_KEY: 'ab'.repeat(32) };
  afterAll(() => rmSync(home, { recursive: true, force: true }));
});

describe('millrace migrate', () => {
  it('brings an empty database up to date, and then has nothing to do', async () => {
    await database.pool.query('create schema empty');
    const url = new URL(database.url);
    url.searchParams.set('options', '-c search_path=empty');
    const first = await runCli(['migrate'], { ...env, DATABASE_URL: url.href });
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('0001_initial.sql') });
    const second = await runCli(['migrate'], env);
    expect(second).toMatchObject({ code: 0, stdout: 'The schema is up to date.\n' });
  });

  it('says in one line that the database is away, without its password', async () => {
    const ended = await runCli(['migrate'], { ...env, DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/none' });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('The database at 127.0.0.1:1 cannot be used');
    expect(ended.stderr).not.toContain('hunter2');
    expect(ended.stderr).not.toContain('    at ');
  });

  it('reports all mistakes of the environment at once', async () => {
    const ended = await runCli(['migrate'], { MILLRACE_PORT: 'x', MILLRACE_DAG: 'y' });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/3 mistakes[^]*MILLRACE_PORT[^]*MILLRACE_DAG[^]*DATABASE_URL/);
  });
});

describe('millrace scheduler', () => {
  it('beats while it runs, and ends by the signal with nothing left behind', async () => {
    const beats = async () =>
      (await database.pool.query(`select pid from service_process where role = 'scheduler'`)).rows;
    const scheduler = startCli(['scheduler'], env);
    await scheduler.sees(/the scheduler runs/);
    expect(await beats()).toEqual([{ pid: scheduler.child.pid }]);
    const ended = await scheduler.kill('SIGTERM');
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(await beats()).toEqual([]);
    await waitFor(
      async () =>
        (
          await database.pool.query(
            `select from pg_stat_activity where datname = current_database() and application_name like 'millrace%'`,
          )
        ).rowCount === 0,
      { what: 'its connections to close' },
    );
  });
});

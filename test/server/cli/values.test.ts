import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';

const database = await createTestDatabase();
const home = mkdtempSync(join(tmpdir(), 'millrace-values-'));
let app: TestApp;
let env: { [name: string]: string };

beforeAll(async () => {
  app = await startTestApp(database);
  env = { MILLRACE_HOME: home, MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('admin') };
});
afterAll(async () => {
  await app.stop();
  rmSync(home, { recursive: true, force: true });
});
const millrace = (...args: string[]) => runCli(args, env);
const file = (name: string, value: unknown) => {
  writeFileSync(join(home, name), JSON.stringify(value));
  return join(home, name);
};

describe('millrace variable', () => {
  it('sets, gets, lists, exports and deletes', async () => {
    expect(await millrace('variable', 'set', 'region', 'eu', '--description', 'where')).toMatchObject({ code: 0 });
    expect(await millrace('variable', 'set', 'api_token', 'geheim')).toMatchObject({
      code: 0,
      stderr: 'api_token is set, as a secret: its value is not shown again.\n',
    });
    expect(await millrace('variable', 'get', 'region')).toMatchObject({ code: 0, stdout: 'eu\n' });
    expect(await millrace('variable', 'get', 'api_token')).toMatchObject({ code: 1, stdout: '' });
    const list = await millrace('variable', 'list');
    expect(list.stdout).toMatch(/^KEY +VALUE +DESCRIPTION\napi_token +\*\*\*\nregion +eu +where\n$/);
    const exported = await millrace('variable', 'export');
    expect(JSON.parse(exported.stdout)).toEqual({ region: { value: 'eu', description: 'where' } });
    expect(exported.stderr).toContain('1 secret ones are left out');
    expect(await millrace('variable', 'delete', 'region')).toMatchObject({ code: 0 });
    expect(await millrace('variable', 'delete', 'region')).toMatchObject({
      code: 1,
      stderr: 'There is no variable "region".\n',
    });
  });

  it('imports what it exports, and what Airflow exports', async () => {
    const path = file('variables.json', {
      a: 'text',
      b: { rows: 5 },
      c: { value: 'x', description: 'd', secret: true },
    });
    expect(await millrace('variable', 'import', path)).toMatchObject({ code: 0, stderr: '3 variables are set.\n' });
    const { rows } = await database.pool.query(
      `select key, value, description from variable where key in ('a', 'b', 'c') order by key`,
    );
    expect(rows).toEqual([
      { key: 'a', value: 'text', description: null },
      { key: 'b', value: '{"rows":5}', description: null },
      { key: 'c', value: null, description: 'd' },
    ]);
  });
});

describe('millrace connection', () => {
  it('adds of a URI and of options, lists without secrets, and deletes', async () => {
    expect(await millrace('connection', 'add', 'db', 'postgres://me:geheim@h:5433/sales')).toMatchObject({ code: 0 });
    const options = ['--kind', 'http', '--host', 'https://x', '--extra', '{"api_key": "geheim", "timeout": 5}'];
    expect(await millrace('connection', 'add', 'web', ...options)).toMatchObject({ code: 0 });
    expect(await millrace('connection', 'add', 'db', 'postgres://h2')).toMatchObject({ code: 1 });
    expect(await millrace('connection', 'add', 'db', 'postgres://h2', '--replace')).toMatchObject({ code: 0 });
    const list = await millrace('connection', 'list', '--json');
    expect(JSON.parse(list.stdout)).toEqual([
      expect.objectContaining({ connectionId: 'db', host: 'h2', login: null, hasPassword: false }),
      expect.objectContaining({ connectionId: 'web', extra: { timeout: 5 }, secretExtraKeys: ['api_key'] }),
    ]);
    expect(list.stdout).not.toContain('geheim');
    expect(await millrace('connection', 'delete', 'db')).toMatchObject({ code: 0 });
    expect((await millrace('connection', 'list')).stdout).not.toContain('db ');
  });

  it('imports a file of URIs, of our fields and of Airflow’s', async () => {
    const path = file('connections.json', {
      one: 'postgres://h/d',
      two: { kind: 'smtp', host: 'mail', port: 25 },
      three: {
        conn_type: 'email',
        host: 'mail',
        login: 'me',
        password: 'geheim',
        extra: '{"token": "t-geheim", "tls": true}',
      },
      four: { conn_type: 'aws', extra: null },
    });
    expect(await millrace('connection', 'import', path)).toMatchObject({
      code: 0,
      stderr: '4 connections are stored.\n',
    });
    const { rows } = await database.pool.query(
      `select id, kind, extra, has_password, secret_keys from connection where id in ('one', 'two', 'three', 'four') order by id`,
    );
    expect(rows).toEqual([
      { id: 'four', kind: 'generic', extra: {}, has_password: false, secret_keys: [] },
      { id: 'one', kind: 'postgres', extra: {}, has_password: false, secret_keys: [] },
      { id: 'three', kind: 'smtp', extra: { tls: true }, has_password: true, secret_keys: ['token'] },
      { id: 'two', kind: 'smtp', extra: {}, has_password: false, secret_keys: [] },
    ]);
  });
});

it('millrace secrets rewrap says what it did', async () => {
  expect(await millrace('secrets', 'rewrap')).toMatchObject({
    code: 0,
    stderr: '0 secrets are under the new key now.\n',
  });
});

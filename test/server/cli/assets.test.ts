import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const home = mkdtempSync(join(tmpdir(), 'millrace-assets-'));
let app: TestApp;
let env: { [name: string]: string };

beforeAll(async () => {
  app = await startTestApp(database);
  env = { MILLRACE_HOME: home, MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('editor') };
});
afterAll(async () => {
  await app.stop();
  rmSync(home, { recursive: true, force: true });
});
const millrace = (...args: string[]) => runCli(args, env);

it('lists assets, and says that one was updated, once for each key', async () => {
  expect((await millrace('assets')).stderr).toMatch(/^No assets yet/);
  await app.engine.deploy(dagOf('load', { make: { outlets: ['orders'] } }));
  const schedule = { kind: 'assets', expression: { asset: 'orders' }, or: null } as const;
  const { dagId } = await app.engine.deploy(dagOf('report', { a: [] }, { schedule }));
  const say = () => millrace('asset', 'emit', 'orders', '--extra', '{"rows":3}', '--key', 'one');
  const said = await say();
  expect(said).toMatchObject({ code: 0 });
  expect(said.stdout + said.stderr).toMatch(/orders was updated at \S+: event \d+/);
  expect(await say()).toEqual(said);
  const { rows } = await database.pool.query('select kind from dag_run where dag_id = $1', [dagId]);
  expect(rows).toEqual([{ kind: 'asset' }]);
  expect((await millrace('assets')).stdout).toMatch(/^orders +load\.make +report +\d{4}-/m);
  expect(JSON.parse((await millrace('assets', '--search', 'rd', '--json')).stdout)).toMatchObject([{ name: 'orders' }]);
});

it('says what is wrong', async () => {
  expect(await millrace('asset', 'emit', 'unknown')).toMatchObject({
    code: 1,
    stderr: 'There is no asset "unknown": no DAG names it.\n',
  });
  expect((await millrace('asset', 'emit', 'orders', '--extra', '[1]')).stderr).toMatch(/must be a JSON object/);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';

let database: TestDatabase;
let home: string;
let client: { [name: string]: string };
const roles: RunningCli[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const { db, url } = database;
  home = mkdtempSync(join(tmpdir(), 'millrace-apart-'));
  const env = { MILLRACE_HOME: home, DATABASE_URL: url, MILLRACE_SECRET_KEY: 'ab'.repeat(32), MILLRACE_PORT: '0' };
  const tokenOf = async (role: 'worker' | 'editor') =>
    (await createApiToken(db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;
  const server = startCli(['server'], env);
  roles.push(server);
  const address = (await server.sees(/"address":"([^"]+)"/))[1]!;
  roles.push(startCli(['scheduler'], env));
  const worker = { MILLRACE_HOME: home, MILLRACE_URL: address, MILLRACE_TOKEN: await tokenOf('worker') };
  roles.push(startCli(['worker', '--queues', 'default,other', '--slots', '2'], worker));
  await roles[1]!.sees(/the scheduler runs/);
  await roles[2]!.sees(/the worker takes tasks/);
  client = { MILLRACE_HOME: home, MILLRACE_URL: address, MILLRACE_TOKEN: await tokenOf('editor') };
  // Last in, first out: the database goes after those that use it.
  afterAll(async () => {
    for (const role of roles.reverse()) await role.kill('SIGTERM');
    rmSync(home, { recursive: true, force: true });
  });
}, 60_000);

describe('server, scheduler and worker as processes of their own', () => {
  it('run a DAG that is deployed with its code, over the network alone', async () => {
    const file = join(home, 'apart.ts');
    writeFileSync(
      file,
      `import { dag } from 'millrace';
       export default dag('apart', {}, ({ task, bash }) => {
         const numbers = task('numbers', async () => [1, 2, 3]);
         const sum = task('sum', { numbers }, async ({ numbers, ctx }) => { ctx.log.info('adding'); return numbers.reduce((a, b) => a + b, 0); });
         bash('says', { after: sum, queue: 'other', command: 'echo the sum is {{ ti.xcom_pull("sum") }}' });
       });`,
    );
    expect(await runCli(['deploy', file], client)).toMatchObject({ code: 0, stdout: 'apart version 1\n' });
    const { rows } = await database.pool.query('select source, path from dag');
    expect(rows).toEqual([{ source: 'cli', path: file }]);
    const ended = await runCli(['trigger', 'apart', '--follow'], client);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/says \| the sum is 6[^]*success\n$/) });
    await checkRuns(database, { finished: true });
  });

  it('get their first token from the database, and the next ones by that', async () => {
    const here = { MILLRACE_HOME: home, DATABASE_URL: database.url, MILLRACE_URL: client['MILLRACE_URL']! };
    const without = await runCli(['token', 'create', '--name', 'x'], here);
    expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('--role admin --database') });
    const first = await runCli(['token', 'create', '--name', 'first', '--role', 'admin', '--database'], here);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mr_\d+_\w+\n$/) });
    const admin = { ...client, MILLRACE_TOKEN: first.stdout.trim() };
    const next = await runCli(['token', 'create', '--name', 'next', '--role', 'worker', '--json'], admin);
    expect(JSON.parse(next.stdout)).toMatchObject({ name: 'next', role: 'WORKER' });
    const { rows } = await database.pool.query(
      `select created_by, role from api_token where name in ('first', 'next') order by id`,
    );
    expect(rows).toEqual([
      { created_by: 'console', role: 'admin' },
      { created_by: 'token first', role: 'worker' },
    ]);
    expect(await runCli(['token', 'create', '--name', 'x', '--database', '--url', 'http://x'], here)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cannot be used with option '--url"),
    });
  });

  it('end by SIGTERM, the worker after its task', async () => {
    const file = join(home, 'slow.yaml');
    writeFileSync(file, 'dagId: slow\ntasks:\n  - { taskId: nap, kind: bash, command: echo dozing; sleep 2 }\n');
    await runCli(['deploy', file], client);
    const follow = startCli(['trigger', 'slow', '--follow'], client);
    await follow.sees(/nap \| dozing/);
    const worker = roles.pop()!;
    expect(await worker.kill('SIGTERM')).toMatchObject({
      signal: 'SIGTERM',
      stderr: expect.not.stringContaining('by force'),
    });
    expect(await follow.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/success\n$/) });
    await checkRuns(database, { finished: true });
  });
});

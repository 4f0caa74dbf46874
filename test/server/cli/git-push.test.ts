/** A push while a run goes on: the run keeps its code, the next one has the new. Each part is a process of its own. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { GIT_USER, startGitServer, type GitServer } from '../../helpers/git-server.ts';
import { dagOf } from '../../helpers/git-watch.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const home = mkdtempSync(join(tmpdir(), 'millrace-git-push-'));
const gate = join(home, 'gate');
const SECRET = 'ein-geheimes-wort-0815';
const pieces: RunningCli[] = [];
let server: GitServer;
let address: string;
let client: { [name: string]: string };
let startWorker: (queue: string) => Promise<void>;

beforeAll(async () => {
  server = await startGitServer();
  const tokenOf = async (role: 'worker' | 'admin') =>
    (await createApiToken(database.db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;
  const env = {
    ...{ MILLRACE_HOME: home, DATABASE_URL: database.url, MILLRACE_SECRET_KEY: 'ab'.repeat(32), MILLRACE_PORT: '0' },
    ...{ MILLRACE_GIT_PROTOCOLS: 'http', MILLRACE_GIT_HOSTS: '127.0.0.1' },
  };
  const start = async (args: string[], ready: RegExp, environment: { [name: string]: string }) => {
    const piece = startCli(args, environment);
    pieces.push(piece);
    return piece.sees(ready);
  };
  address = (await start(['server'], /"address":"([^"]+)"/, env))[1]!;
  const token = await tokenOf('worker');
  // A home each: what one worker has unpacked the other has not
  startWorker = async (queue) => {
    const own = { MILLRACE_HOME: join(home, queue), MILLRACE_URL: address, MILLRACE_TOKEN: token };
    await start(['worker', '--queues', queue], /the worker takes tasks/, own);
  };
  await Promise.all([start(['scheduler'], /the scheduler runs/, env), startWorker('early')]);
  client = { MILLRACE_HOME: home, MILLRACE_URL: address, MILLRACE_TOKEN: await tokenOf('admin') };
}, 60_000);
afterAll(async () => {
  for (const piece of pieces.reverse()) await piece.kill('SIGKILL');
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

const file = (name: string, text: string) => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};
/** Each file says which commit it is of: that of the DAG, one that it imports, and a Python one. */
const filesOf = (word: string) => ({
  'lib/word.ts': `export const word = '${word}';\n`,
  'dags/step.py': `def main():\n    print('python says ${word}')\n`,
  'dags/pushed.ts': `
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { dag } from 'millrace';
import { word } from '../lib/word.ts';
export default dag('pushed', {}, ({ task, python }) => {
  const waits = task('waits', {}, { queue: 'early' }, async ({ ctx }) => {
    ctx.log.info('waiting in ' + word);
    while (!existsSync(${JSON.stringify(gate)})) await setTimeout(20);
    return word;
  });
  const says = task('says', { waits }, { queue: 'late' }, ({ waits, ctx }) => ctx.log.info('after ' + waits + ' says ${word}, ' + word));
  python('prints', { after: says, queue: 'late', callable: 'step.py:main' });
});
`,
});
async function hook(): Promise<number> {
  const body = '{"ref":"refs/heads/main"}';
  const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
  const headers = { 'x-hub-signature-256': signature };
  return (await fetch(`${address}/hooks/git/etl`, { method: 'POST', headers, body })).status;
}

it('keeps the code of a run that goes on, to its last task', { timeout: 90_000 }, async () => {
  const repository = server.repository('etl');
  repository.commit(filesOf('old'), 'the old');
  const added = await runCli(
    [
      ...['git', 'add', 'etl', repository.url, '--folder', 'dags', '--interval', '3600'],
      ...['--username', GIT_USER.username, '--password-file', file('password', GIT_USER.password)],
      ...['--webhook-secret-file', file('secret', SECRET)],
    ],
    client,
  );
  expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining('1 DAG.') as string });
  const before = startCli(['trigger', 'pushed', '--follow'], client);
  await before.sees(/waits \| .*waiting in old/);

  const sha = repository.commit(filesOf('new'), 'the new');
  expect(await hook()).toBe(202);
  await waitFor(async () => (await dagOf(database, 'pushed'))?.number === 2, {
    what: 'the version of the push',
    timeoutMs: 10_000,
  });
  // It comes once the push is deployed, with nothing unpacked: the code of the first version is still to be had
  await startWorker('late');
  const after = startCli(['trigger', 'pushed', '--follow'], client);
  await after.sees(/waits \| .*waiting in new/);
  writeFileSync(gate, '');
  // Lines of different tasks come in any order
  for (const [cli, code] of [
    [before, 'old'],
    [after, 'new'],
  ] as const) {
    const ended = await cli.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(`after ${code} says ${code}, ${code}\n`);
    expect(ended.stdout).toMatch(`python says ${code}\n`);
  }
  const { rows } = await database.pool.query(
    `select r.id, v.number, v.commit_sha = $1 as pushed from dag_run r join dag_version v on v.id = r.version_id order by 1`,
    [sha],
  );
  expect(rows.map(({ number, pushed }) => [number, pushed])).toEqual([
    [1, false],
    [2, true],
  ]);
});

/** kill -9 of a scheduler amid a look: nothing of it stays, and another one does its work. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createVault } from '#db/vault.ts';
import { GIT_WANTED, createGitSource, findGitSource } from '#db/queries/git-sources.ts';
import { GIT_DEFAULTS } from '#sdk/git-sources.ts';
import { startCli, type RunningCli } from '../../../helpers/cli.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { GIT_USER, startGitServer, type GitServer } from '../../../helpers/git-server.ts';
import { awaitSource, dagOf } from '../../../helpers/git-watch.ts';
import { processesWith } from '../../../helpers/processes.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const home = mkdtempSync(join(tmpdir(), 'millrace-git-killed-'));
const work = join(home, 'git');
const KEY = 'ab'.repeat(32);
const schedulers: RunningCli[] = [];
let server: GitServer;

beforeAll(async () => {
  server = await startGitServer();
}, 60_000);
afterAll(async () => {
  for (const scheduler of schedulers) await scheduler.kill('SIGKILL');
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

async function startScheduler(): Promise<RunningCli> {
  const scheduler = startCli(['scheduler'], {
    ...{ MILLRACE_HOME: home, DATABASE_URL: url, MILLRACE_SECRET_KEY: KEY },
    ...{ MILLRACE_GIT_PROTOCOLS: 'http', MILLRACE_GIT_HOSTS: '127.0.0.1' },
  });
  schedulers.push(scheduler);
  await scheduler.sees(/the scheduler runs/);
  return scheduler;
}

/** Sends the beginning of an answer, and no more. Less than this is no pack. */
function stall(res: ServerResponse, bytes = 200_000): ServerResponse {
  const write = res.write.bind(res) as (chunk: Buffer) => boolean;
  const end = res.end.bind(res) as () => ServerResponse;
  let sent = 0;
  res.write = (chunk: Buffer) => {
    const part = chunk.subarray(0, bytes - sent);
    sent += part.length;
    return part.length === 0 || write(part);
  };
  res.end = () => (sent < bytes ? end() : res);
  return res;
}

/** How many DAGs, versions, bundles and errors of files there are. */
async function deployed(): Promise<unknown> {
  const { rows } = await pool.query(
    `select (select count(*)::int from dag) as dags, (select count(*)::int from dag_version) as versions,
      (select count(*)::int from bundle) as bundles, (select count(*)::int from import_error) as errors`,
  );
  return rows[0];
}

const dagFile = (dagId: string) =>
  `import { dag } from 'millrace';\nexport default dag('${dagId}', {}, ({ task }) => task('say', () => 1));\n`;

it('leaves no Git, no file and nothing half deployed; another one takes over', { timeout: 90_000 }, async () => {
  const repository = server.repository('large');
  const files = { 'a.ts': dagFile('killed_a'), 'b.ts': dagFile('killed_b'), 'noise.bin': randomBytes(2 ** 20) };
  const sha = repository.commit(files);
  server.intercept = (req, res) => server.answer(req, stall(res));
  await createGitSource(
    db,
    createVault(Buffer.from(KEY, 'hex')),
    {
      ...{ ...GIT_DEFAULTS, name: 'large', url: repository.url, intervalSeconds: 3600 },
      credentials: { kind: 'password', ...GIT_USER },
    },
    'ada',
  );
  const first = await startScheduler();
  const gits = () => processesWith(work).map((line) => line.split('\0 ', 1)[0]!.replaceAll('\0', ' '));
  const takesPack = async () => {
    if (gits().some((line) => line.includes('index-pack'))) return true;
    throw new Error(JSON.stringify([gits(), await findGitSource(db, 'large'), first.stdout() + first.stderr()]));
  };
  await waitFor(takesPack, { what: 'Git to take a pack in' });
  const [left] = readdirSync(work);
  expect(left).toMatch(/^large\./);
  await startScheduler();

  await first.kill('SIGKILL');
  await waitFor(() => gits().length === 0 || Promise.reject(new Error(gits().join(', '))), {
    what: 'the Git of the dead scheduler to end',
    timeoutMs: 5_000,
  });
  expect(await deployed()).toEqual({ dags: 0, versions: 0, bundles: 0, errors: 0 });
  expect(server.fetches).toEqual(['large']);

  server.intercept = null;
  // The rest of the lease passes in a second; who is told of it finds it not over yet
  await pool.query(`update git_source set lease_until = clock_timestamp() + interval '1 second'`);
  await pool.query('select pg_notify($1, $2)', [GIT_WANTED, 'large']);
  await awaitSource(database, 'large', ({ commit_sha, state }) => commit_sha === sha && state === 'ok');
  expect(await deployed()).toEqual({ dags: 2, versions: 2, bundles: 2, errors: 0 });
  expect(await dagOf(database, 'killed_a')).toMatchObject({ active: true, source: 'git:large', versions: 1 });
  expect(server.fetches).toEqual(['large', 'large']);
  await waitFor(() => readdirSync(work).length === 0 || Promise.reject(new Error(readdirSync(work).join(', '))), {
    what: `an empty ${work}`,
  });
  const [, second] = schedulers;
  expect(second!.stdout() + second!.stderr()).not.toMatch(/"level":"error"/);
});

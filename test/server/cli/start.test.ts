import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPostgres } from '#db/embedded-postmaster.ts';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-start-'));
// As root PostgreSQL runs as another user, who must be able to pass.
chmodSync(root, 0o755);
const home = join(root, 'home');
const dags = join(root, 'dags');
const env = { MILLRACE_HOME: home, MILLRACE_DAGS: dags, MILLRACE_PORT: '0', MILLRACE_WORKER_SLOTS: '4' };
const millrace = (...args: string[]) => runCli(args, env);
const started: RunningCli[] = [];

const writeDag = (name: string, tasks: object[], rest: object = {}) =>
  writeFileSync(join(dags, `${name}.json`), JSON.stringify({ dagId: name, tasks, ...rest }));
const bash = (taskId: string, command: string, rest: object = {}) => ({ taskId, kind: 'bash', command, ...rest });

async function start(): Promise<{ cli: RunningCli; url: string; link: string }> {
  const cli = startCli(['start'], env);
  started.push(cli);
  const [, url] = await cli.sees(/ready: (\S+)/, 60_000);
  const [, link] = await cli.sees(/once: (\S+)/);
  return { cli, url: url!, link: link! };
}
const postgresPid = () => Number(readFileSync(join(home, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
const hasDag = (name: string) =>
  waitFor(async () => (await millrace('dags', '--json')).stdout.includes(`"${name}"`), {
    timeoutMs: 30_000,
    what: `DAG ${name}`,
  });

beforeAll(async () => {
  mkdirSync(dags, { recursive: true });
  writeDag(
    'greets',
    [
      bash('hello', 'echo hello $NAME', { env: { NAME: '{{ params.name }}' } }),
      bash('bye', 'echo bye >&2', { upstream: ['hello'] }),
    ],
    {
      params: { type: 'object', properties: { name: { type: 'string', default: 'world' } } },
    },
  );
  writeDag('fails', [bash('breaks', 'echo so far; exit 7')]);
  writeDag('sleeps', [bash('nap', 'sleep 60')]);
});
afterAll(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGINT');
    await ended;
  }
  rmSync(root, { recursive: true, force: true });
});

describe('millrace start and the commands beside it', () => {
  let running: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    running = await start();
    for (const dag of ['greets', 'fails', 'sleeps']) await hasDag(dag);
  }, 90_000);

  it('signs in by its link once, and keeps its secrets to its user', async () => {
    const first = await fetch(running.link, { redirect: 'manual' });
    expect({ status: first.status, cookie: first.headers.get('set-cookie') }).toMatchObject({
      status: 303,
      cookie: expect.stringMatching(/HttpOnly/i),
    });
    expect((await fetch(running.link, { redirect: 'manual' })).status).toBe(401);
    const another = (await millrace('login-link', '--user', 'eve', '--role', 'viewer')).stdout.trim();
    expect((await fetch(another, { redirect: 'manual' })).status).toBe(303);
    for (const file of ['service.json', 'secret-key', 'postgres/password'])
      expect(statSync(join(home, file)).mode & 0o077, file).toBe(0);
    const { token } = JSON.parse(readFileSync(join(home, 'service.json'), 'utf8')) as { token: string };
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(token);
  });

  it('refuses a second start of the same home and says where the first one is', async () => {
    const second = await runCli(['start'], env);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`Millrace runs already at ${running.url}`);
    expect((await millrace('dags')).code).toBe(0);
  });

  it('trigger --follow shows the changes and the log lines, and ends with the outcome', async () => {
    const ended = await millrace('trigger', 'greets', '--follow', '--conf', '{"name":"you"}');
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Run \d+ of greets\n$/) });
    const lines = ended.stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''));
    for (const line of [
      'hello running',
      'hello | hello you',
      'hello success',
      'bye running',
      'bye | bye',
      'bye success',
    ])
      expect(lines).toContain(line);
    expect(lines.indexOf('hello success')).toBeLessThan(lines.indexOf('bye running'));
    expect(lines.at(-1)).toMatch(/^\d+ success$/);
  });

  it('trigger --wait tells a failed and a cancelled run by its exit status', async () => {
    const failed = await millrace('trigger', 'fails', '--wait', '--json');
    expect(failed.code).toBe(2);
    expect(JSON.parse(failed.stdout)).toMatchObject({ state: 'FAILED' });
    const waiting = startCli(['trigger', 'sleeps', '--wait'], env);
    const [, runId] = await waiting.sees(/Run (\d+)/);
    const { token } = JSON.parse(readFileSync(join(home, 'service.json'), 'utf8')) as { token: string };
    const query = 'mutation ($input: CancelDagRunInput!) { cancelDagRun(input: $input) { __typename } }';
    await fetch(`${running.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables: { input: { runId } } }),
    });
    expect(await waiting.ended).toMatchObject({ code: 3, stdout: `${runId} cancelled\n` });
  });

  it('the same idempotency key makes one run; runs and logs tell of it', async () => {
    const args = ['trigger', 'greets', '--idempotency-key', 'k1', '--wait'];
    const [first, second] = [await millrace(...args), await millrace(...args)];
    expect(second.stdout).toBe(first.stdout);
    const runId = first.stdout.split(' ')[0]!;
    const runs = JSON.parse((await millrace('runs', 'greets', '--json')).stdout) as { runId: string; state: string }[];
    expect(runs.filter((run) => run.runId === runId)).toMatchObject([{ state: 'SUCCESS' }]);
    const log = await millrace('logs', runId, 'hello');
    expect(log.stdout).toMatch(/^\S+ hello world$/m);
    expect((await millrace('logs', runId, 'hello', '--follow')).stdout).toBe(log.stdout);
    expect(await millrace('logs', runId, 'nobody')).toMatchObject({
      code: 1,
      stderr: `Run ${runId} has no task "nobody".\n`,
    });
  });

  it('what does not exist is said in a line', async () => {
    expect(await millrace('trigger', 'nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nowhere.*\n$/),
    });
    expect(await millrace('runs', 'nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no DAG "nowhere"'),
    });
  });

  it('deploys a file, says when nothing changed, and all that is wrong with another', async () => {
    const file = join(root, 'extra.json');
    writeFileSync(file, JSON.stringify({ dagId: 'extra', tasks: [bash('one', 'true')] }));
    expect(await millrace('deploy', file)).toMatchObject({ code: 0, stdout: 'extra version 1\n', stderr: '' });
    expect(await millrace('deploy', file)).toMatchObject({ code: 0, stdout: 'extra version 1 (unchanged)\n' });
    writeFileSync(
      file,
      JSON.stringify({ dagId: 'extra', tasks: [bash('one', 'true', { upstream: ['two'] }), bash('one', 'true')] }),
    );
    const wrong = await millrace('deploy', file);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/two/);
    expect(wrong.stderr).toMatch(/one/);
  });

  it('makes a token that may do what its role may and no more', async () => {
    const made = await millrace('token', 'create', '--name', 'reader', '--role', 'viewer');
    expect(made.code).toBe(0);
    const reader = { ...env, MILLRACE_TOKEN: made.stdout.trim() };
    expect((await runCli(['dags'], reader)).code).toBe(0);
    expect((await runCli(['trigger', 'greets'], reader)).code).toBe(1);
    expect((await runCli(['dags'], { ...env, MILLRACE_TOKEN: 'wrong' })).code).toBe(1);
  });

  it('follows its DAG folder: a broken file is an import error, a mended one is not', async () => {
    writeFileSync(join(dags, 'fresh.json'), '{ "dagId": "fresh", "tasks": [{}] }');
    await running.cli.sees(/fresh.json DAG file not loaded|DAG file not loaded.*fresh.json/);
    writeDag('fresh', [bash('one', 'true')]);
    await hasDag('fresh');
  });

  it('after a SIGKILL the next start adopts PostgreSQL, and Ctrl-C leaves nothing running', async () => {
    const pid = postgresPid();
    const nap = (await millrace('trigger', 'sleeps')).stdout.trim();
    await waitFor(async () => (await millrace('runs', 'sleeps', '--json')).stdout.includes('RUNNING'), {
      what: 'the nap to run',
    });
    await running.cli.kill('SIGKILL');
    expect(await isPostgres(pid)).toBe(true);
    running = await start();
    expect(postgresPid()).toBe(pid);
    const runs = JSON.parse((await millrace('runs', 'sleeps', '--json')).stdout) as { runId: string }[];
    expect(runs.map((run) => run.runId)).toContain(nap);
    const ended = await running.cli.kill('SIGINT');
    expect(ended).toMatchObject({ signal: 'SIGINT' });
    expect(await isPostgres(pid)).toBe(false);
    expect(() => statSync(join(home, 'service.json'))).toThrow();
    await waitFor(() => !execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(home), {
      what: 'every process of this home to end',
    });
  }, 90_000);
});

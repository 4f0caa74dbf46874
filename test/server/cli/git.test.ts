import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { GIT_USER, startGitServer, type GitServer } from '../../helpers/git-server.ts';
import { dagOf, startTestGitWatch, type TestGitWatch } from '../../helpers/git-watch.ts';

const database = await createTestDatabase();
const home = mkdtempSync(join(tmpdir(), 'millrace-git-cli-'));
const policy = { protocols: ['https', 'ssh', 'http'] as const, hosts: ['127.0.0.1', 'git.example.com'] };
let app: TestApp;
let server: GitServer;
let watch: TestGitWatch;
let env: { [name: string]: string };

beforeAll(async () => {
  app = await startTestApp(database, { gitPolicy: policy });
  server = await startGitServer();
  watch = await startTestGitWatch(database, { policy });
  env = { MILLRACE_HOME: home, MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('admin') };
});
afterAll(async () => {
  await watch.stop();
  await server.stop();
  await app.stop();
  rmSync(home, { recursive: true, force: true });
});
const git = (...args: string[]) => runCli(['git', ...args], env);
const file = (name: string, text: string) => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};
const yaml = (dagId: string) => `dagId: ${dagId}\ntasks: [{ taskId: a, kind: bash, command: 'true' }]\n`;

describe('millrace git', { timeout: 90_000 }, () => {
  it('adds a repository, shows it, looks again on demand, and tells what became of its DAGs when it is removed', async () => {
    const repository = server.repository('cli');
    repository.commit({ 'dags/a.yaml': yaml('cli_a'), 'dags/b.yaml': 'dagId: cli_b\n' }, 'two flows');
    const password = file('password', `${GIT_USER.password}\n`);
    const access = ['--username', GIT_USER.username, '--password-file', password];
    const added = await git('add', 'cli', repository.url, '--folder', './dags/', ...access);
    expect(added).toMatchObject({ code: 0, stdout: '' });
    expect(added.stderr).toMatch(
      /^cli is at [0-9a-f]{10} "two flows": 1 DAG, 1 of 2 files do not load\.\n {2}b\.yaml: /,
    );
    expect(await git('add', 'cli', repository.url)).toMatchObject({
      code: 1,
      stderr: 'There is a Git source "cli" already: update it.\n',
    });
    expect((await git('list')).stdout).toMatch(/^NAME +STATE .*\ncli +ok +[0-9a-f]{10} +1 +2 +1 +http.* :dags\n$/);
    const shown = await git('show', 'cli');
    expect(shown.stdout).toMatch(/commit +[0-9a-f]{40} two flows\nby +Ada <ada@example.com> /);
    expect(shown.stdout).toMatch(/b\.yaml does not load:\n/);
    expect((await git('sync', 'cli')).code).toBe(1);
    const sha = repository.commit(
      { 'dags/a.yaml': yaml('cli_a').replace('true', 'date'), 'dags/b.yaml': yaml('cli_b') },
      'mended\n\nat last',
    );
    const synced = await git('sync', 'cli', '--json');
    expect(synced.code).toBe(0);
    expect(JSON.parse(synced.stdout)).toMatchObject({ commit: { sha }, dagIds: ['cli_a', 'cli_b'], importErrors: [] });
    const versions = await runCli(['versions', 'cli_a'], env);
    expect(versions.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['VERSION', 'DEPLOYED', 'BY', 'COMMIT', 'AUTHOR', 'MESSAGE'],
      ['2 *', expect.any(String), 'git:cli', sha.slice(0, 10), 'Ada <ada@example.com>', 'mended'],
      ['1', expect.any(String), 'git:cli', expect.any(String), 'Ada <ada@example.com>', 'two flows'],
      [''],
    ]);
    const [newest, ...older] = JSON.parse((await runCli(['versions', 'cli_a', '--limit', '1', '--json'], env)).stdout);
    expect(older).toEqual([]);
    expect(newest).toMatchObject({
      number: 2,
      current: true,
      gitSource: 'cli',
      commit: { sha, message: 'mended\n\nat last' },
    });
    expect(await runCli(['versions', 'nothing'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no DAG "nothing"') as string,
    });
    expect(await git('pause', 'cli')).toMatchObject({ code: 0 });
    expect(await git('sync', 'cli')).toMatchObject({ code: 1, stderr: expect.stringContaining('is paused') as string });
    expect(await git('remove', 'cli')).toMatchObject({
      code: 0,
      stderr: 'cli is forgotten.\nNot active any more: cli_a, cli_b\n',
    });
    expect(await dagOf(database, 'cli_a')).toMatchObject({ active: false, source: null });
    expect(await git('show', 'cli')).toMatchObject({ code: 1, stderr: 'There is no Git source "cli".\n' });
    const all = JSON.stringify([added, shown, synced, app.logged]) + watch.log();
    expect(all).not.toContain(GIT_USER.password);
  });

  it('says what is wrong with an address and its credentials, and keeps them for the host they are for', async () => {
    const key = file('key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n');
    const password = file('other', 'geheim-2\n');
    const wrong = async (text: RegExp, ...args: string[]) =>
      expect(await git('add', 'wrong', ...args)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(text) as string,
      });
    await wrong(/have Git run a program/, 'ext::sh -c touch% /tmp/x');
    await wrong(/not allowed here; allowed: https, ssh, http/, 'file:///srv/dags.git');
    await wrong(/holds credentials/, 'https://ada:geheim@git.example.com/dags.git');
    await wrong(/not among those allowed here/, 'https://elsewhere.example.com/dags.git');
    await wrong(/needs a private key/, 'git@git.example.com:dags.git');
    await wrong(/needs the host keys/, 'git@git.example.com:dags.git', '--key-file', key);
    await wrong(/no name of a branch/, 'https://git.example.com/dags.git', '--ref', 'a..b');
    await wrong(/does not begin with -/, 'https://git.example.com/dags.git', '--ref=--upload-pack=x');
    await wrong(/folder within the repository/, 'https://git.example.com/dags.git', '--folder', '../x');
    const repository = server.repository('bound');
    repository.commit({ 'a.yaml': yaml('bound_a') });
    await git('add', 'bound', repository.url, '--username', GIT_USER.username, '--password-file', password);
    const elsewhere = await git('set', 'bound', '--address', 'https://git.example.com/dags.git');
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('of another host') as string });
    const shown = JSON.parse((await git('show', 'bound', '--json')).stdout);
    expect(shown).toMatchObject({
      state: 'FAILED',
      message: expect.stringMatching(/^The server does not accept the cred/) as string,
    });
    expect(JSON.stringify(shown) + watch.log()).not.toContain('geheim-2');
  });
});

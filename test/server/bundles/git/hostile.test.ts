/** Repositories and servers that mean harm, or do it. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitSource, type NewGitSource } from '#db/queries/git-sources.ts';
import { wantGitLook } from '#db/queries/git-looks.ts';
import { GIT_DEFAULTS } from '#sdk/git-sources.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { TEST_VAULT } from '../../../helpers/engine.ts';
import { GIT_USER, startGitServer, type GitRepository, type GitServer } from '../../../helpers/git-server.ts';
import { awaitSource, dagOf, startTestGitWatch, type TestGitWatch } from '../../../helpers/git-watch.ts';
import { processesWith } from '../../../helpers/processes.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db } = database;
const outside = mkdtempSync(join(tmpdir(), 'millrace-outside-'));
let server: GitServer;
let watch: TestGitWatch;
beforeAll(async () => {
  server = await startGitServer();
  watch = await startTestGitWatch(database, { limits: { askMs: 2_000, fetchMs: 20_000, maxBytes: 4 * 2 ** 20 } });
});
afterAll(async () => {
  await watch.stop();
  await server.stop();
  rmSync(outside, { recursive: true, force: true });
});

const YAML = `dagId: ID\ntasks: [{ taskId: a, kind: bash, command: 'true' }]\n`;
const credentials = { kind: 'password' as const, ...GIT_USER };
const create = (name: string, source: Partial<NewGitSource>) =>
  createGitSource(
    db,
    TEST_VAULT,
    { ...GIT_DEFAULTS, intervalSeconds: 3600, name, url: '', credentials, ...source },
    'ada',
  );
const looked = async (name: string, source: Partial<NewGitSource>) => {
  await create(name, source);
  return awaitSource(database, name, ({ looked_at }) => looked_at !== null);
};
/** Commits, then has what is committed looked at. */
const refused = async (repository: GitRepository, name: string) =>
  looked(name, { url: repository.url, folder: 'dags' });
const add = (repository: GitRepository, name: string, make: (folder: string) => void) => {
  repository.commit({ 'dags/a.yaml': YAML.replace('ID', name) });
  make(repository.folder);
  repository.commit({});
};

describe('a hostile repository', { timeout: 60_000 }, () => {
  it('with a symbolic link that leads out is refused by the name of the link', async () => {
    const repository = server.repository('link');
    add(repository, 'h_link', (folder) => symlinkSync('/etc/passwd', join(folder, 'dags/secrets.csv')));
    expect(await refused(repository, 'h-link')).toMatchObject({
      state: 'failed',
      message: 'dags/secrets.csv is a symbolic link to /etc/passwd, which leads out of the repository.',
    });
    expect(await dagOf(database, 'h_link')).toBeUndefined();
  });

  it('with a submodule is refused, and the submodule is not fetched', async () => {
    const repository = server.repository('sub');
    add(repository, 'h_sub', (folder) => {
      writeFileSync(
        join(folder, '.gitmodules'),
        `[submodule "x"]\n\tpath = dags/x\n\turl = ${server.url()}/link.git\n`,
      );
      repository.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},dags/x`);
      repository.git('commit', '--quiet', '-m', 'sub', '--no-verify');
      repository.git('push', '--quiet', 'origin', 'HEAD');
      repository.git('rm', '--quiet', '--cached', 'dags/x');
    });
    repository.git('reset', '--quiet', '--hard', 'HEAD~1');
    repository.git('push', '--quiet', '--force', 'origin', 'HEAD');
    server.requests.length = 0;
    expect(await refused(repository, 'h-sub')).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/^dags\/x is a submodule, and submodules are not fetched/) as string,
    });
    expect(server.requests.filter((request) => request.includes('link.git'))).toEqual([]);
  });

  it('that is too large is cut off while it comes in, and nothing of it stays', async () => {
    const repository = server.repository('large');
    repository.commit({ 'dags/a.yaml': YAML.replace('ID', 'h_large'), 'dags/noise.bin': randomBytes(12 * 2 ** 20) });
    expect((await refused(repository, 'h-large')).message).toMatch(
      /^The commit takes more than 4 MiB\. Keep large data out/,
    );
    const packed = server.repository('bomb');
    packed.commit({ 'dags/a.yaml': YAML.replace('ID', 'h_bomb'), 'dags/zeros.bin': Buffer.alloc(64 * 2 ** 20) });
    expect((await refused(packed, 'h-bomb')).message).toBe(
      'dags/zeros.bin has 64.0 MiB; a file has 32.0 MiB at most. Keep large data in an object store.',
    );
    await waitFor(() => readdirSync(watch.home).length === 0, { what: `an empty ${watch.home}` });
  });

  it('has nothing run: no hook, no filter, no attribute', async () => {
    const repository = server.repository('filter');
    const mark = join(outside, 'ran');
    const script = `#!/bin/sh\ntouch ${mark}\n`;
    repository.commit({
      '.gitattributes': '* filter=evil ident export-subst\n',
      '.lfsconfig': '[lfs]\n\turl = http://127.0.0.1:1/\n',
      '.gitconfig': `[filter "evil"]\n\tsmudge = touch ${mark}\n\tprocess = touch ${mark}\n\trequired = true\n`,
      '.githooks/post-checkout': script,
      'hooks/post-checkout': script,
      'dags/a.yaml': `# $Id$ $Format:%H$\n${YAML.replace('ID', 'h_filter')}`,
    });
    expect(await refused(repository, 'h-filter')).toMatchObject({ state: 'ok', failed_files: 0 });
    expect(await dagOf(database, 'h_filter')).toMatchObject({ active: true });
    expect(existsSync(mark)).toBe(false);
  });

  it('cannot import what lies outside of it', async () => {
    const repository = server.repository('climb');
    writeFileSync(join(outside, 'secret.txt'), 'geheim');
    const up = '../'.repeat(30);
    const source = `import { dag } from 'millrace';\nimport secret from '${up}${outside.slice(1)}/secret.txt';\nexport default dag('h_climb', {}, ({ task }) => task('say', () => secret));\n`;
    repository.commit({ 'dags/a.ts': source });
    expect(await refused(repository, 'h-climb')).toMatchObject({ files: 1, failed_files: 1 });
    const { rows } = await database.pool.query(`select message from import_error where source = 'git:h-climb'`);
    expect(rows[0].message).toMatch(/It imports .*secret\.txt, which lies outside of the source/);
    expect(await dagOf(database, 'h_climb')).toBeUndefined();
  });

  it.each([
    [`ext::sh -c touch% ${join(outside, 'ext')}`, /have Git run a program/],
    ['file:///etc', /over file is not allowed/],
    ['https://127.0.0.2/dags.git', /not among those allowed/],
    ['--upload-pack=touch /tmp/x', /does not begin with -|no spaces/],
  ])('is not even asked as %s', async (url, message) => {
    const name = `h-url-${randomBytes(3).toString('hex')}`;
    expect((await looked(name, { url })).message).toMatch(message);
    expect(existsSync(join(outside, 'ext'))).toBe(false);
  });

  it('is not followed to another address', async () => {
    server.intercept = (_req, res) => void res.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end();
    const source = await looked('h-redirect', { url: `${server.url()}/link.git` });
    server.intercept = null;
    expect(source.message).toMatch(/^The server sends Git to another address, which is not followed/);
  });

  it('that answers nothing, or without end, is given up, and its Git with it', async () => {
    server.intercept = () => undefined;
    expect((await looked('h-hang', { url: `${server.url()}/link.git` })).message).toMatch(
      /did not answer in full within 2 s/,
    );
    server.intercept = (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
      const timer = setInterval(() => res.write('0'.repeat(100)), 50);
      res.on('close', () => clearInterval(timer));
    };
    expect((await looked('h-drip', { url: `${server.url()}/link.git` })).state).toBe('failed');
    server.intercept = null;
    expect(processesWith(watch.home)).toEqual([]);
  });
});

describe('credentials', { timeout: 60_000 }, () => {
  it('stand in no argument, log, message or file that is left', async () => {
    const repository = server.repository('secret');
    repository.commit({ 'a.yaml': YAML.replace('ID', 'h_secret') });
    const seen = new Set<string>();
    server.intercept = (req, res) => {
      for (const line of processesWith(watch.home)) seen.add(line);
      const basic = req.headers.authorization ?? '';
      if (!basic) return void res.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      // A server that repeats what it got
      res
        .writeHead(403, { 'content-type': 'text/plain' })
        .end(`no: ${Buffer.from(basic.slice(6), 'base64').toString()} ${basic}\n`);
    };
    const source = await looked('h-secret', { url: repository.url });
    server.intercept = null;
    expect(source.message).toMatch(/^The credentials do not give access/);
    await wantGitLook(db, 'h-secret', { reload: true });
    await awaitSource(database, 'h-secret', ({ state }) => state === 'ok');
    expect([...seen].some((line) => line.includes('ls-remote'))).toBe(true);
    const { rows } = await database.pool.query(`select to_jsonb(s)::text as text from git_source s`);
    const all = [...seen, watch.log(), JSON.stringify(source), JSON.stringify(rows)].join('\n');
    expect(all).not.toContain(GIT_USER.password);
    expect(all).not.toContain(Buffer.from(`${GIT_USER.username}:${GIT_USER.password}`).toString('base64'));
    await waitFor(() => readdirSync(watch.home).length === 0, { what: `an empty ${watch.home}` });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitSource, type NewGitSource } from '#db/queries/git-sources.ts';
import { wantGitLook } from '#db/queries/git-looks.ts';
import { deployDag } from '#db/queries/dag.ts';
import { listImportErrors } from '#db/queries/import-errors.ts';
import { GIT_DEFAULTS } from '#sdk/git-sources.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { dagOf as specOf, TEST_VAULT } from '../../../helpers/engine.ts';
import { GIT_USER, startGitServer, type GitServer } from '../../../helpers/git-server.ts';
import { awaitSource, dagOf, startTestGitWatch, type TestGitWatch } from '../../../helpers/git-watch.ts';

const database = await createTestDatabase();
const { db, pool } = database;
let server: GitServer;
let watch: TestGitWatch;
beforeAll(async () => {
  server = await startGitServer();
  watch = await startTestGitWatch(database);
});
afterAll(async () => {
  await watch.stop();
  await server.stop();
});

const credentials = { kind: 'password' as const, ...GIT_USER };
const create = (name: string, source: Partial<NewGitSource>) =>
  createGitSource(
    db,
    TEST_VAULT,
    { ...GIT_DEFAULTS, intervalSeconds: 3600, name, url: '', credentials, ...source },
    'ada',
  );
/** A TypeScript DAG whose one task says something. */
const dagFile = (dagId: string, says: string, imports = '') => `
import { dag } from 'millrace';
${imports}
export default dag('${dagId}', {}, ({ task }) => task('say', () => ${says}));
`;
const yaml = (dagId: string, command = 'true') =>
  `dagId: ${dagId}\ntasks: [{ taskId: a, kind: bash, command: '${command}' }]\n`;

/** Looks again, and waits for the look that finds this commit. */
async function sync(name: string, sha: string) {
  const asked = new Date();
  await wantGitLook(db, name, { reload: false });
  return awaitSource(database, name, (source) => source.commit_sha === sha && source.looked_at! >= asked);
}

describe('startGitWatch', { timeout: 60_000 }, () => {
  it('deploys what a repository holds, and each new commit, with who made it and why', async () => {
    const repository = server.repository('first');
    const first = repository.commit(
      { 'dags/etl.ts': dagFile('etl', '1'), 'README.md': 'about' },
      'the first\n\nwith a body',
    );
    await create('first', { url: repository.url, folder: 'dags' });
    const source = await sync('first', first);
    expect(source).toMatchObject({
      state: 'ok',
      message: null,
      files: 1,
      failed_files: 0,
      commit_message: 'the first\n\nwith a body',
    });
    expect(await dagOf(database, 'etl')).toEqual({
      active: true,
      source: 'git:first',
      path: 'etl.ts',
      number: 1,
      versions: 1,
    });
    const second = repository.commit({ 'dags/etl.ts': dagFile('etl', '2') }, 'the second');
    await sync('first', second);
    expect(await dagOf(database, 'etl')).toMatchObject({ number: 2, versions: 2 });
    const { rows } = await pool.query(
      `select number, created_by, author_role, git_source, commit_sha, commit_author, commit_message from dag_version order by number`,
    );
    const by = {
      created_by: 'git:first',
      author_role: 'editor',
      git_source: 'first',
      commit_author: 'Ada <ada@example.com>',
    };
    expect(rows).toEqual([
      { number: 1, ...by, commit_sha: first, commit_message: 'the first\n\nwith a body' },
      { number: 2, ...by, commit_sha: second, commit_message: 'the second' },
    ]);
  });

  it('makes a version of what changed only, by content and imports', async () => {
    const repository = server.repository('content');
    const files = {
      'flows/a.ts': dagFile('content_a', 'word', "import { word } from '../lib/word.ts';"),
      'flows/b.ts': dagFile('content_b', '1'),
      'lib/word.ts': 'export const word = 1;\n',
    };
    await create('content', { url: repository.url, folder: 'flows' });
    await sync('content', repository.commit(files));
    await sync('content', repository.commit({ 'README.md': 'new', 'flows/notes.md': 'new' }));
    expect(await dagOf(database, 'content_a')).toMatchObject({ versions: 1 });
    await sync('content', repository.commit({ 'lib/word.ts': 'export const word = 2;\n' }));
    expect(await dagOf(database, 'content_a')).toMatchObject({ number: 2, versions: 2 });
    expect(await dagOf(database, 'content_b')).toMatchObject({ number: 1, versions: 1 });
  });

  it('keeps the last good version of a file that breaks, and tells what is wrong', async () => {
    const repository = server.repository('broken');
    await create('broken', { url: repository.url });
    await sync('broken', repository.commit({ 'a.yaml': yaml('broken_a'), 'b.yaml': yaml('broken_b') }));
    const sha = repository.commit({ 'a.yaml': 'dagId: broken_a\ntasks: 7\n', 'b.yaml': yaml('broken_b', 'date') });
    expect(await sync('broken', sha)).toMatchObject({ state: 'ok', files: 2, failed_files: 1 });
    expect(await dagOf(database, 'broken_a')).toMatchObject({ active: true, number: 1 });
    expect(await dagOf(database, 'broken_b')).toMatchObject({ active: true, number: 2 });
    const [error] = (await listImportErrors(db)).filter(({ source }) => source === 'git:broken');
    expect(error).toMatchObject({
      path: 'a.yaml',
      message: expect.stringMatching(/^a\.yaml:2:\d+: DAG 'broken_a': tasks/) as string,
    });
    await sync('broken', repository.commit({ 'a.yaml': yaml('broken_a', 'date') }));
    expect(await dagOf(database, 'broken_a')).toMatchObject({ number: 2 });
    expect((await listImportErrors(db)).filter(({ source }) => source === 'git:broken')).toEqual([]);
  });

  it('deactivates the DAG of a file that is removed, and activates it again when it comes back', async () => {
    const repository = server.repository('gone');
    await create('gone', { url: repository.url });
    await sync('gone', repository.commit({ 'a.yaml': yaml('gone_a'), 'b.yaml': yaml('gone_b') }));
    await sync('gone', repository.commit({ 'b.yaml': null }));
    expect(await dagOf(database, 'gone_b')).toMatchObject({ active: false, number: 1 });
    expect(await dagOf(database, 'gone_a')).toMatchObject({ active: true });
    await sync('gone', repository.commit({ 'moved/b.yaml': yaml('gone_b') }));
    expect(await dagOf(database, 'gone_b')).toMatchObject({
      active: true,
      number: 1,
      versions: 1,
      path: 'moved/b.yaml',
    });
  });

  it('refuses a DAG that another source has, and takes it once that has given it up', async () => {
    const [one, two] = [server.repository('one'), server.repository('two')];
    await create('one', { url: one.url });
    await create('two', { url: two.url, intervalSeconds: 1 });
    await sync('one', one.commit({ 'a.yaml': yaml('shared') }));
    const sha = two.commit({ 'b.yaml': yaml('shared', 'date') });
    expect(await sync('two', sha)).toMatchObject({ failed_files: 1 });
    expect(await dagOf(database, 'shared')).toMatchObject({ source: 'git:one', number: 1 });
    const [error] = (await listImportErrors(db)).filter(({ source }) => source === 'git:two');
    expect(error?.message).toMatch(/^The DAG 'shared' belongs to git:one\. Remove it there/);
    await sync('one', one.commit({ 'a.yaml': yaml('other') }));
    await awaitSource(database, 'two', ({ failed_files }) => failed_files === 0);
    expect(await dagOf(database, 'shared')).toMatchObject({ source: 'git:two', active: true, number: 2 });
    // What was deployed by hand is nobody's
    await deployDag(db, {
      spec: specOf('by_hand', { a: [] }),
      bundle: null,
      actor: 'ada',
      origin: { source: 'cli', path: null },
    });
    await sync('two', two.commit({ 'c.yaml': yaml('by_hand') }));
    expect(await dagOf(database, 'by_hand')).toMatchObject({ source: 'git:two' });
  });
});

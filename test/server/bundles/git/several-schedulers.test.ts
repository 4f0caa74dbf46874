/** Schedulers that share sources: each commit is fetched and deployed once, by one of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wantGitLook } from '#db/queries/git-looks.ts';
import { createGitSource } from '#db/queries/git-sources.ts';
import { GIT_DEFAULTS } from '#sdk/git-sources.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { TEST_VAULT } from '../../../helpers/engine.ts';
import { GIT_USER, repositoryNameOf, startGitServer, type GitServer } from '../../../helpers/git-server.ts';
import { awaitSource, dagOf, startTestGitWatch, type TestGitWatch } from '../../../helpers/git-watch.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db } = database;
const NAMES = ['red', 'green', 'blue', 'grey'];
let server: GitServer;
let watches: TestGitWatch[];
beforeAll(async () => {
  server = await startGitServer();
  watches = [await startTestGitWatch(database), await startTestGitWatch(database)];
});
afterAll(async () => {
  for (const watch of watches) await watch.stop();
  await server.stop();
});

const yaml = (dagId: string, command: string) =>
  `dagId: ${dagId}\ntasks: [{ taskId: a, kind: bash, command: '${command}' }]\n`;
const deployedBy = (watch: TestGitWatch) => watch.log().split('a commit is deployed').length - 1;
const isAt = (name: string, sha: string) => awaitSource(database, name, ({ commit_sha }) => commit_sha === sha);

/** Requests wait until every source is looked at, which takes both schedulers. What was open at once, by repository. */
function holdUntilAllAreAsked() {
  const open = new Map<string, number>();
  const most = new Map<string, number>();
  const waiting: (() => void)[] = [];
  server.intercept = (req, res) => {
    const name = repositoryNameOf(req);
    open.set(name, (open.get(name) ?? 0) + 1);
    most.set(name, Math.max(most.get(name) ?? 0, open.get(name)!));
    res.on('close', () => open.set(name, open.get(name)! - 1));
    waiting.push(() => server.answer(req, res));
    if (most.size === NAMES.length) for (const go of waiting.splice(0)) go();
  };
  return { asked: () => most.size, most };
}

describe('two schedulers', { timeout: 60_000 }, () => {
  it('fetch and deploy each commit once, and never both look at one source', async () => {
    const repositories = NAMES.map((name) => server.repository(name));
    const first = repositories.map((repository, at) => repository.commit({ 'a.yaml': yaml(NAMES[at]!, 'true') }));
    const { asked, most } = holdUntilAllAreAsked();
    const source = { ...GIT_DEFAULTS, intervalSeconds: 3600, credentials: { kind: 'password' as const, ...GIT_USER } };
    for (const [at, name] of NAMES.entries()) {
      await createGitSource(db, TEST_VAULT, { ...source, name, url: repositories[at]!.url }, 'ada');
      // Whoever asks meanwhile gets no second look beside the first
      await wantGitLook(db, name, { reload: false });
    }
    await waitFor(() => asked() === NAMES.length, { what: 'all sources to be looked at' });
    for (const [at, name] of NAMES.entries()) await isAt(name, first[at]!);
    expect(watches.map((watch) => deployedBy(watch) > 0)).toEqual([true, true]);

    const second = repositories.map((repository, at) => repository.commit({ 'a.yaml': yaml(NAMES[at]!, 'date') }));
    await Promise.all([...NAMES, ...NAMES, ...NAMES].map((name) => wantGitLook(db, name, { reload: false })));
    for (const [at, name] of NAMES.entries()) await isAt(name, second[at]!);
    await waitFor(
      async () => (await database.pool.query('select from git_source where lease is not null')).rowCount === 0,
    );
    server.intercept = null;
    expect([...server.fetches].sort()).toEqual([...NAMES, ...NAMES].sort());
    expect(deployedBy(watches[0]!) + deployedBy(watches[1]!)).toBe(2 * NAMES.length);
    expect(Object.fromEntries(most)).toEqual(Object.fromEntries(NAMES.map((name) => [name, 1])));
    for (const name of NAMES) expect(await dagOf(database, name)).toMatchObject({ number: 2, versions: 2 });
    expect(watches.flatMap(({ errors }) => errors)).toEqual([]);
  });
});

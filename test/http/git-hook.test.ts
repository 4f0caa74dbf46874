import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitSource, findGitSource } from '#db/queries/git-sources.ts';
import { GIT_DEFAULTS } from '#sdk/git-sources.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { TEST_VAULT } from '../helpers/engine.ts';

const database = await createTestDatabase();
const SECRET = 'ein-geheimes-wort-0815';
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp(database);
  const source = { ...GIT_DEFAULTS, url: 'https://git.example.com/x.git', credentials: { kind: 'none' as const } };
  await createGitSource(database.db, TEST_VAULT, { ...source, name: 'signed', webhookSecret: SECRET }, 'ada');
  await createGitSource(database.db, TEST_VAULT, { ...source, name: 'silent' }, 'ada');
});
afterAll(() => app.stop());

const BODY = '{"ref":"refs/heads/main"}';
const hmac = (body: string, secret = SECRET) => createHmac('sha256', secret).update(body).digest('hex');
const post = (name: string, headers: { [name: string]: string }, body: string = BODY) =>
  fetch(`${app.url()}/hooks/git/${name}`, { method: 'POST', headers, body });
const isWanted = async (name: string) => (await findGitSource(database.db, name))?.asked_at !== null;

describe('POST /hooks/git/<name>', () => {
  it.each([
    ['GitHub', { 'x-hub-signature-256': `sha256=${hmac(BODY)}` }],
    ['GitLab', { 'x-gitlab-token': SECRET }],
    ['Gitea', { 'x-gitea-signature': hmac(BODY) }],
    ['Forgejo', { 'x-forgejo-signature': hmac(BODY) }],
  ])('has the source looked at when %s signs it', async (_who, headers) => {
    await database.pool.query('update git_source set asked_at = null');
    const response = await post('signed', headers);
    expect([response.status, await isWanted('signed')]).toEqual([202, true]);
  });

  it.each<[string, string, { [name: string]: string }]>([
    ['no signature', 'signed', {}],
    ['that of another body', 'signed', { 'x-hub-signature-256': `sha256=${hmac(`${BODY} `)}` }],
    ['that of another secret', 'signed', { 'x-hub-signature-256': `sha256=${hmac(BODY, 'x')}` }],
    ['a wrong one beside a right token', 'signed', { 'x-hub-signature-256': 'sha256=00', 'x-gitlab-token': SECRET }],
    ['an empty token', 'signed', { 'x-gitlab-token': '' }],
    ['a source without a webhook', 'silent', { 'x-gitlab-token': '' }],
    ['a source that is none', 'nothing', { 'x-gitlab-token': SECRET }],
    ['what it takes nobody for', 'nothing', { 'x-gitlab-token': 'there is no such source, or it has no webhook' }],
    ['a name that is none', '..%2fsigned', { 'x-gitlab-token': SECRET }],
  ])('refuses %s, and says no more', async (_what, name, headers) => {
    await database.pool.query('update git_source set asked_at = null');
    const response = await post(name, headers);
    expect([response.status, await response.text()]).toEqual([
      401,
      'The signature is wrong, or there is no such webhook.\n',
    ]);
    expect(await isWanted('signed')).toBe(false);
  });

  it('takes no message without end, and no end of guesses', async () => {
    const large = await post('signed', { 'x-gitlab-token': SECRET }, 'x'.repeat(26 * 2 ** 20)).catch(() => null);
    expect(large?.status ?? 413).toBe(413);
    const statuses = [];
    for (let i = 0; i < 31; i++) statuses.push((await post('guessed', { 'x-gitlab-token': String(i) })).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
    expect((await post('signed', { 'x-gitlab-token': SECRET })).status).toBe(202);
  });
});

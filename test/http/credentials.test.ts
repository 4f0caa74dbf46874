import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { updateUser } from '#db/queries/users.ts';
import { createRunnerTokens } from '#server/auth/runner-token.ts';
import { createLoginLink, createUser } from '#server/auth/users.ts';
import { createLoginThrottle } from '#server/auth/login-throttle.ts';
import { startTestApp, TEST_KEY, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { openSocket } from '../helpers/socket.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db } = database;
let app: TestApp;
let token: string;
const WHO = { query: '{ viewer { name role } }' };
const LIVE = 'subscription { dagEvents { cursor } }';

beforeAll(async () => {
  app = await startTestApp(database);
  token = await app.token('viewer');
});
afterAll(() => app.stop());
const own = () => ({ origin: app.url() });
const who = async (headers: { [name: string]: string }) => {
  const response = await app.post(WHO, headers);
  const body = (await response.json()) as { data?: { viewer: unknown } };
  return { status: response.status, viewer: body.data?.viewer };
};

describe('one request has one credential', () => {
  it('a cookie, a token, or none', async () => {
    const cookie = await app.cookie();
    expect(await who({ cookie, ...own() })).toEqual({ status: 200, viewer: { name: 'ada', role: 'ADMIN' } });
    expect(await who({ authorization: `Bearer ${token}` })).toMatchObject({ status: 200, viewer: { role: 'VIEWER' } });
    expect(await who({})).toEqual({ status: 200, viewer: null });
    expect(await who({ cookie, authorization: `Bearer ${token}`, ...own() })).toMatchObject({ status: 400 });
    expect(await who({ cookie, authorization: 'Basic eDp5', ...own() })).toMatchObject({ status: 400 });
  });

  it('that is valid: a wrong token is refused, a dead session is nobody', async () => {
    for (const wrong of ['Bearer nonsense', `Bearer ${token}x`, 'Basic eDp5', 'Bearer mr_1_' + 'x'.repeat(43)])
      expect((await who({ authorization: wrong })).status, wrong).toBe(401);
    expect(await who({ cookie: 'millrace_session=gone', ...own() })).toEqual({ status: 200, viewer: null });
  });

  it('on a socket too', async () => {
    const socket = openSocket(app.url(), { token, headers: { authorization: `Bearer ${token}` } });
    await expect(socket.subscribe(LIVE).take(1)).rejects.toThrow();
    expect(socket.closed).toEqual([4400]);
    await socket.stop();
  });
});

describe('a browser’s request', () => {
  it('with the cookie comes from our own page', async () => {
    const cookie = await app.cookie();
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1'])
      expect((await who({ cookie, origin })).status, origin).toBe(403);
    expect((await who({ cookie })).status, 'no origin').toBe(403);
    expect((await who({ cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await who({ cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('for a socket too', async () => {
    const cookie = await app.cookie();
    const open = (headers: { [name: string]: string }) =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(`${app.url().replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
        socket.on('open', () => (resolve(101), socket.terminate()));
        socket.on('unexpected-response', (_req, res) => (resolve(res.statusCode ?? 0), socket.terminate()));
        socket.on('error', () => undefined);
      });
    expect(await open({ origin: 'https://evil.example' })).toBe(403);
    expect(await open({ origin: 'https://evil.example', cookie })).toBe(403);
    expect(await open({ origin: 'https://evil.example', authorization: `Bearer ${token}` })).toBe(403);
    expect(await open({ cookie })).toBe(403);
    expect(await open({ cookie, authorization: `Bearer ${token}`, ...own() })).toBe(400);
    expect(await open({ authorization: 'Bearer nonsense' })).toBe(401);
    expect(await open({ cookie, ...own() })).toBe(101);
    expect(await open({})).toBe(101);
  });
});

describe('a sign-in link', () => {
  it('works once, sets a cookie that scripts and other sites do not get, and leads to the page', async () => {
    const link = await createLoginLink(db, { name: 'grace', role: 'editor' });
    await fetch(`${app.url()}${link}`, { method: 'HEAD' });
    const first = await fetch(`${app.url()}${link}`, { redirect: 'manual' });
    expect([first.status, first.headers.get('location')]).toEqual([303, '/']);
    expect(first.headers.get('set-cookie')).toMatch(
      /^millrace_session=[0-9A-Za-z]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
    );
    expect((await fetch(`${app.url()}${link}`, { redirect: 'manual' })).status).toBe(401);
    expect((await fetch(`${app.url()}/login?token=guess`, { redirect: 'manual' })).status).toBe(401);
  });

  it('ends after its time', async () => {
    const link = await createLoginLink(db, { name: 'grace', role: 'editor' }, { seconds: 0 });
    expect((await fetch(`${app.url()}${link}`, { redirect: 'manual' })).status).toBe(401);
  });

  it('behind TLS gives a cookie that needs it', async () => {
    const secure = await startTestApp(database, { publicUrl: 'https://millrace.example' });
    const link = await createLoginLink(db, { name: 'grace', role: 'editor' });
    const response = await fetch(`${secure.url()}${link}`, { redirect: 'manual' });
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-millrace_session=.*; Secure/);
    expect(response.headers.get('strict-transport-security')).toBeTruthy();
    await secure.stop();
  });
});

describe('a password', () => {
  const login = (name: string, password: string) =>
    app
      .post({
        query:
          'mutation($i: LoginInput!) { login(input: $i) { __typename ... on Error { message } ... on ConflictError { code } } }',
        variables: { i: { name, password } },
      })
      .then(async (response) => ({
        cookie: response.headers.get('set-cookie'),
        login: ((await response.json()) as { data: { login: object } }).data.login,
      }));

  it('signs in, and a wrong one is told in one way only', async () => {
    await createUser(db, { name: 'linus', role: 'viewer', password: 'correct horse battery', actor: 'test' });
    await createUser(db, { name: 'link-only', role: 'viewer', password: null, actor: 'test' });
    const right = await login('linus', 'correct horse battery');
    expect(right.cookie).toMatch(/^millrace_session=/);
    const cookie = right.cookie?.split(';')[0] ?? '';
    expect(await who({ cookie, ...own() })).toMatchObject({ viewer: { name: 'linus' } });
    const wrong = await Promise.all([login('linus', 'wrong'), login('nobody', 'wrong'), login('link-only', 'wrong')]);
    for (const each of wrong) expect(each).toEqual(wrong[0]);
    expect(wrong[0]).toMatchObject({ cookie: null, login: { code: 'WRONG_CREDENTIALS' } });
    const { rows } = await database.pool.query(`select password_hash from app_user where name = 'linus'`);
    expect(rows[0].password_hash).toMatch(/^\$argon2id\$/);
  });

  it('may be guessed ten times in five minutes, whichever servers are asked', async () => {
    const servers = [createLoginThrottle(database.db), createLoginThrottle(database.db)];
    const ask = async (count: number, account: (n: number) => string, address: string) => {
      const asked = Array.from({ length: count }, (_, n) => servers[n % 2]!.allow(account(n), address));
      return (await Promise.all(asked)).filter(Boolean).length;
    };
    expect(await ask(12, () => 'Grace', '1.2.3.4')).toBe(10);
    expect(await ask(1, () => 'other', '1.2.3.4')).toBe(1);
    expect(await ask(40, (n) => `user ${n}`, '5.6.7.8')).toBe(30);
    await database.pool.query(`update login_attempt set until = now() - interval '1 s'`);
    expect(await ask(1, () => 'grace', '1.2.3.4')).toBe(1);
    const { rows } = await database.pool.query('select count(*)::int as n from login_attempt');
    expect(rows[0].n).toBeLessThanOrEqual(2);
  });
});

describe('access that ends', () => {
  it('by signing out closes the session’s sockets', async () => {
    const cookie = await app.cookie('mary');
    const socket = openSocket(app.url(), { headers: { cookie, ...own() } });
    await waitForLive(socket);
    const other = openSocket(app.url(), { headers: { cookie: await app.cookie('mary'), ...own() } });
    await waitForLive(other);
    const out = await app.post({ query: 'mutation { logout }' }, { cookie, ...own() });
    expect(out.headers.get('set-cookie')).toContain('Max-Age=0');
    await waitFor(() => socket.closed.length > 0, { what: 'the socket to close', timeoutMs: 1_000 });
    expect(socket.closed).toEqual([4401]);
    expect(other.closed).toEqual([]);
    expect(await who({ cookie, ...own() })).toEqual({ status: 200, viewer: null });
    await socket.stop();
    await other.stop();
  });

  it('by a new role makes the socket connect again, within a second', async () => {
    const cookie = await app.cookie('joan', 'editor');
    const socket = openSocket(app.url(), { headers: { cookie, ...own() } });
    await waitForLive(socket);
    const { rows } = await database.pool.query(`select id from app_user where name = 'joan'`);
    await updateUser(db, rows[0].id, { role: 'viewer' });
    await waitFor(() => socket.closed.length > 0, { what: 'the socket to close', timeoutMs: 1_000 });
    expect(socket.closed).toEqual([4001]);
    expect(await who({ cookie, ...own() })).toMatchObject({ viewer: { role: 'VIEWER' } });
    await updateUser(db, rows[0].id, { disabled: true });
    expect(await who({ cookie, ...own() })).toEqual({ status: 200, viewer: null });
    await socket.stop();
  });

  it('by time closes the socket', async () => {
    const short = createRunnerTokens(TEST_KEY).sign('1.0.-1.00000000-0000-4000-8000-000000000000', 1.2);
    const socket = openSocket(app.url(), { token: short });
    const wrong = socket.subscribe(LIVE);
    await waitFor(() => wrong.errors.length > 0, { what: 'the refusal' });
    await waitFor(() => socket.closed.length > 0, { what: 'the socket to close', timeoutMs: 3_000 });
    expect(socket.closed).toEqual([4401]);
    await socket.stop();
  });

  it('ends a stream over HTTP too', async () => {
    const cookie = await app.cookie('sse');
    const response = await app.post({ query: LIVE }, { cookie, ...own(), accept: 'text/event-stream' });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reading = response.text();
    await app.post({ query: 'mutation { logout }' }, { cookie, ...own() });
    await expect(reading).rejects.toThrow();
  });
});

/** A subscription that answers: the socket is open and has been let in. */
async function waitForLive(socket: ReturnType<typeof openSocket>): Promise<void> {
  await socket.subscribe('{ viewer { name } }').take(1);
  socket.subscribe(LIVE);
}

describe('a runner’s token', () => {
  const tokens = createRunnerTokens(TEST_KEY, () => 1_000_000);
  const dispatch = '1.0.-1.00000000-0000-4000-8000-000000000000';

  it('is signed, timed and for runners only', () => {
    const made = tokens.sign(dispatch, 60);
    expect(tokens.verify(made)).toEqual({ dispatchId: dispatch, expiresAt: new Date(1_060_000) });
    expect(createRunnerTokens(TEST_KEY, () => 1_060_001).verify(made)).toBeNull();
    expect(createRunnerTokens(Buffer.alloc(32, 8), () => 1_000_000).verify(made)).toBeNull();
    const [, payload, signature] = made.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    expect(tokens.verify(`${none}.${payload}.`)).toBeNull();
    expect(tokens.verify(`${none}.${payload}.${signature}`)).toBeNull();
    expect(tokens.verify(made.slice(0, -2))).toBeNull();
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployDag } from '#db/queries/dag.ts';
import { createRunnerTokens } from '#server/auth/runner-token.ts';
import { packBundle } from '#server/bundles/pack-bundle.ts';
import { startTestApp, TEST_KEY, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';
import { openSocket } from '../helpers/socket.ts';

const database = await createTestDatabase();
const webRoot = mkdtempSync(join(tmpdir(), 'page-'));
let app: TestApp;

beforeAll(async () => {
  mkdirSync(join(webRoot, 'assets'));
  writeFileSync(join(webRoot, 'index.html'), '<!doctype html><title>Millrace</title>');
  writeFileSync(join(webRoot, 'assets/app.js'), 'export {}');
  app = await startTestApp(database, { webRoot });
});
afterAll(async () => {
  await app.stop();
  rmSync(webRoot, { recursive: true });
});
const get = (path: string, headers: { [name: string]: string } = {}) =>
  fetch(`${app.url()}${path}`, { headers, redirect: 'manual' });

describe('the page', () => {
  it('answers for every place in it, with headers that keep others out', async () => {
    for (const path of ['/', '/dags/etl_daily', '/runs/17']) {
      const response = await get(path);
      expect([response.status, await response.text()]).toEqual([200, '<!doctype html><title>Millrace</title>']);
      expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
      expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('cache-control')).toBe('no-cache');
    }
  });

  it('has files that never change, and no others', async () => {
    expect((await get('/assets/app.js')).headers.get('cache-control')).toContain('immutable');
    expect((await get('/assets/gone.js')).status).toBe(404);
    for (const path of ['/..%2f..%2fetc/passwd', '/%00', '/assets/..%2f..%2fpackage.json', '/%E0%A4%A'])
      expect([200, 400, 404], path).toContain((await get(path)).status);
    expect(await (await get('/assets/..%2f..%2fpackage.json')).text()).not.toContain('dependencies');
  });

  it('says when it is not built', async () => {
    const bare = await startTestApp(database);
    const response = await fetch(bare.url());
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('npm run build')]);
    await bare.stop();
  });
});

describe('GraphiQL', () => {
  const html = { accept: 'text/html' };

  it('is there in development only', async () => {
    expect((await get('/graphql', html)).headers.get('content-type') ?? '').not.toContain('text/html');
    expect((await get('/graphiql/graphiql.js')).status).not.toBe(200);
    const development = await startTestApp(database, { graphiql: true });
    const response = await fetch(`${development.url()}/graphql`, { headers: html });
    expect(response.headers.get('content-type')).toContain('text/html');
    await development.stop();
  });

  it('comes whole from here, once', async () => {
    const development = await startTestApp(database, { graphiql: true });
    const page = await fetch(`${development.url()}/graphql`, { headers: html });
    expect(page.headers.get('content-security-policy')).not.toMatch(/https?:|unsafe-eval|script-src[^;]*unsafe-inline/);
    const text = await page.text();
    expect(text).not.toMatch(/https?:|<script>/);
    const assets = [...text.matchAll(/"(\/graphiql\/[\w.]+)"/g)].map((match) => match[1]!);
    assets.push(...['editorWorkerService', 'json', 'graphql'].map((label) => `/graphiql/${label}.worker.js`));
    expect(assets).toHaveLength(6);
    for (const asset of assets) {
      const first = await fetch(development.url() + asset);
      expect({ asset, status: first.status, type: first.headers.get('content-type') }).toEqual({
        asset,
        status: 200,
        type: `text/${asset.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`,
      });
      await first.arrayBuffer();
      const again = await fetch(development.url() + asset, {
        headers: { 'if-none-match': first.headers.get('etag')! },
      });
      expect(again.status).toBe(304);
    }
    expect((await fetch(`${development.url()}/graphiql/other.js`)).status).toBe(404);
    await development.stop();
  });
});

describe('health', () => {
  it('lives, and is ready while the database answers', async () => {
    expect(await (await get('/livez')).json()).toEqual({ status: 'ok', version: 'test' });
    expect(await (await get('/readyz')).json()).toEqual({ status: 'ok', version: 'test', reasons: [] });
  });
});

describe('a bundle', () => {
  it('goes to workers, and to the runner whose run it is', async () => {
    const bundle = await packBundle([{ path: 'dag.mjs', content: Buffer.from('export default 1'), executable: false }]);
    const { dagId } = await deployDag(database.db, { spec: dagOf('bundled', { a: [] }), bundle, actor: 'test' });
    const [run] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    const { dagId: other } = await app.engine.deploy(dagOf('other', { a: [] }));
    const [elsewhere] = await app.engine.createRuns([{ dagId: other, kind: 'manual' }]);
    const path = `/bundles/${bundle.hash}`;
    const as = (token: string) => get(path, { authorization: `Bearer ${token}` });
    const runner = (runId = 0) =>
      createRunnerTokens(TEST_KEY).sign(`${runId}.0.-1.00000000-0000-4000-8000-000000000000`, 60);

    const response = await as(await app.token('worker'));
    expect(Buffer.from(await response.arrayBuffer()).equals(bundle.archive)).toBe(true);
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect((await as(runner(run?.runId))).status).toBe(200);
    expect((await as(runner(elsewhere?.runId))).status).toBe(403);
    expect((await as(await app.token('viewer'))).status).toBe(403);
    expect((await get(path)).status).toBe(401);
    const worker = { authorization: `Bearer ${await app.token('worker')}` };
    expect((await get(`/bundles/${'0'.repeat(64)}`, worker)).status).toBe(404);
    expect((await get('/bundles/..%2f..%2fetc%2fpasswd', worker)).status).toBe(404);
  });
});

describe('a raw log', () => {
  it('is for people who may read, and named by a task instance and a try', async () => {
    const reader = { authorization: `Bearer ${await app.token('viewer')}` };
    for (const path of [
      '/logs/nonsense/1',
      '/logs/1.0.-1/1',
      '/logs/1.0.-1/x',
      '/logs/..%2f..%2fetc/passwd',
      '/logs/1.0.-1',
    ])
      expect((await get(path, reader)).status, path).toBe(404);
    expect((await get('/logs/1.0.-1/1')).status).toBe(401);
    expect((await get('/logs/1.0.-1/1', { authorization: `Bearer ${await app.token('worker')}` })).status).toBe(403);
  });
});

describe('an unexpected error', () => {
  it('is an id for the client and the whole story in the log', async () => {
    const reader = await app.token('viewer');
    await database.pool.query('alter table import_error rename to import_error_hidden');
    try {
      const http = await app.graphql('{ importErrors { path } }', {}, reader);
      const socket = openSocket(app.url(), { token: reader });
      const events = socket.subscribe('{ importErrors { path } }');
      await expect(events.take(1)).rejects.toThrow();
      await socket.stop();
      for (const error of [http.errors?.[0], events.errors[0] as NonNullable<typeof http.errors>[number]]) {
        expect(error?.message).not.toContain('import_error');
        expect(error?.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', errorId: expect.any(String) });
        const line = app.logged.find((entry) => entry['errorId'] === error?.extensions?.errorId);
        expect(JSON.stringify(line)).toContain('import_error');
      }
    } finally {
      await database.pool.query('alter table import_error_hidden rename to import_error');
    }
  });
});

describe('stopping', () => {
  it('sends sockets elsewhere and ends quickly', async () => {
    const stopping = await startTestApp(database);
    const socket = openSocket(stopping.url(), { token: await stopping.token('viewer') });
    await socket.subscribe('{ viewer { name } }').take(1);
    const events = socket.subscribe('subscription { dagEvents { cursor } }');
    const begun = performance.now();
    await stopping.stop();
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect(socket.closed).toEqual([1001]);
    expect(events.isComplete()).toBe(false);
    await socket.stop();
  });
});

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { openSocket, type TestSocket } from '../helpers/socket.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
let app: TestApp;
let viewer: string;
let socket: TestSocket;

beforeAll(async () => {
  app = await startTestApp(database);
  viewer = await app.token('viewer');
  socket = openSocket(app.url(), { token: viewer });
});
afterAll(async () => {
  await socket.stop();
  await app.stop();
});

const nested = (levels: number) =>
  `{ dag(dagId: "x") ${'{ version { dag '.repeat(levels)}{ dagId }${' } }'.repeat(levels)} }`;
const TOO_LARGE: [limit: string, query: string, said: RegExp][] = [
  ['depth', nested(8), /depth/i],
  [
    'depth, hidden in fragments',
    `{ dag(dagId: "x") { ...A } } ${['A', 'B', 'C', 'D', 'E', 'F', 'G'].map((name, n, all) => `fragment ${name} on Dag { version { dag { ${all[n + 1] ? `...${all[n + 1]}` : 'dagId'} } } }`).join(' ')}`,
    /depth/i,
  ],
  ['aliases', `{ ${Array.from({ length: 20 }, (_, n) => `a${n}: viewer { name }`).join(' ')} }`, /alias/i],
  ['tokens', `{ viewer { ${'name '.repeat(2_100)} } }`, /token/i],
  ['directives', `{ viewer { name ${'@include(if: true) '.repeat(30)} } }`, /directive/i],
  [
    'complexity',
    '{ dagRuns(first: 200) { edges { node { taskInstances(first: 200) { edges { node { taskId } } } } } } }',
    /complexity/i,
  ],
  [
    'root fields of a mutation',
    `mutation { ${Array.from({ length: 6 }, (_, n) => `l${n}: logout`).join(' ')} }`,
    /root fields/,
  ],
];

describe('a query that is too large', () => {
  it.each(TOO_LARGE)('by its %s is refused over HTTP', async (_limit, query, said) => {
    const result = await app.graphql(query, {}, viewer);
    expect(result.errors?.[0]?.message).toMatch(said);
    expect(result.data ?? null).toBeNull();
  });

  it.each(TOO_LARGE)('by its %s is refused on a socket, which stays open', async (_limit, query, said) => {
    const refused = socket.subscribe(query);
    await expect(refused.take(1)).rejects.toThrow();
    expect(JSON.stringify(refused.errors)).toMatch(said);
    const fine = await socket.subscribe<{ role: string }>('{ viewer { role } }').take(1);
    expect(fine).toEqual([{ role: 'VIEWER' }]);
    expect(socket.closed).toEqual([]);
  });

  it('is refused as a subscription before its first event', async () => {
    const query =
      'subscription { dagEvents { dagRun { dag { runs(first: 200) { edges { node { taskInstances(first: 200) { edges { node { id } } } } } } } } } }';
    const refused = socket.subscribe(query);
    await expect(refused.take(1)).rejects.toThrow(/QUERY_TOO_LARGE/);
    const response = await app.post({ query }, { authorization: `Bearer ${viewer}`, accept: 'text/event-stream' });
    expect(await response.text()).toContain('QUERY_TOO_LARGE');
  });

  it('is not what the page asks for', async () => {
    const query =
      '{ dag(dagId: "x") { recentRuns(first: 50) { id state } runs(first: 200) { edges { node { id runKey state kind createdAt startedAt endedAt triggeredBy dag { id } } } } } }';
    expect((await app.graphql(query, {}, viewer)).errors).toBeUndefined();
  });
});

describe('a body', () => {
  /** As `fetch` never would: without a length, or with more than it says. */
  function send(headers: { [name: string]: string }, body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(`${app.url()}/graphql`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
  const json = { 'content-type': 'application/json' };

  it('has a length, within what the role may send', async () => {
    const big = JSON.stringify({ query: `{ viewer { name } } # ${'x'.repeat(300_000)}` });
    expect((await app.post(big)).status).toBe(413);
    expect((await app.post(big, { authorization: `Bearer ${viewer}` })).status).toBe(413);
    expect((await app.post(big, { authorization: `Bearer ${await app.token('editor')}` })).status).toBe(200);
    expect(await send({ ...json, 'transfer-encoding': 'chunked' }, '{}')).toBe(411);
  });

  it('is JSON', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/graphql',
    ])
      expect((await app.post('{}', { 'content-type': type })).status, type).toBe(415);
    expect(
      (await app.post({ query: '{ __typename }' }, { 'content-type': 'application/json; charset=utf-8' })).status,
    ).toBe(200);
  });

  it('is one operation, not a batch', async () => {
    const response = await app.post([{ query: '{ __typename }' }, { query: '{ __typename }' }]);
    expect(await response.text()).toMatch(/batch/i);
  });

  it('that is a mutation does not come by GET', async () => {
    const response = await fetch(`${app.url()}/graphql?query=${encodeURIComponent('mutation { logout }')}`, {
      headers: { authorization: `Bearer ${viewer}` },
    });
    expect(response.status).toBe(405);
  });
});

describe('a socket', () => {
  it('closes when nobody says who is there', async () => {
    const { default: WebSocket } = await import('ws');
    const silent = new WebSocket(`${app.url().replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const code = await new Promise<number>((resolve) => silent.on('close', resolve));
    expect(code).toBe(4408);
  });

  it('takes small messages from people and large ones from workers', async () => {
    const large = { padding: 'x'.repeat(400_000) };
    const person = openSocket(app.url(), { token: viewer });
    const lost = person.subscribe('query { viewer { role } }', large);
    await waitFor(() => lost.errors.length > 0, { what: 'the refusal' });
    expect(person.closed).toEqual([1009]);
    await person.stop();
    const worker = openSocket(app.url(), { headers: { authorization: `Bearer ${await app.token('worker')}` } });
    expect(await worker.subscribe('query { viewer { role } }', large).take(1)).toEqual([{ role: 'WORKER' }]);
    await worker.stop();
  });

  it('has at most 100 operations at once', async () => {
    const busy = openSocket(app.url(), { token: viewer });
    const many = Array.from({ length: 101 }, () => busy.subscribe('subscription { dagEvents { cursor } }'));
    await waitFor(() => many.some((one) => one.errors.length > 0), { what: 'a refusal' });
    expect(JSON.stringify(many.flatMap((one) => one.errors))).toContain('at most 100 operations');
    expect(busy.closed).toEqual([]);
    await busy.stop();
  });
});

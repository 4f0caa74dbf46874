import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { createCluster, findCluster, updateCluster } from '#db/queries/clusters.ts';
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';
import { nextLook, type Looked } from '#server/executors/kubernetes/next-look.ts';
import { startHealthWatch, type HealthWatch } from '#server/executors/kubernetes/watch-health.ts';
import { createLogger } from '#server/log.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { TEST_VAULT } from '../../helpers/engine.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;

/** An API server that says what it is told to say. */
async function startStandIn() {
  const answers = { version: 200, allowed: true, asked: [] as string[] };
  const server: Server = createServer((req, res) => {
    req.resume().on('end', () => {
      answers.asked.push(req.url!);
      const status = req.url === '/version' ? answers.version : 201;
      // It keeps one waiting
      if (status === 0) return;
      res.writeHead(status, { 'content-type': 'application/json' });
      const body = req.url === '/version' ? { gitVersion: 'v1.31.2' } : { status: { allowed: answers.allowed } };
      res.end(JSON.stringify(status < 300 ? body : { kind: 'Status', message: 'no: geheim-token', reason: 'No' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    answers,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

let api: Awaited<ReturnType<typeof startStandIn>>;
let listener: Listener;
let watch: HealthWatch | undefined;
let clock: number;
let logged: { [field: string]: unknown }[];

beforeEach(async () => {
  api = await startStandIn();
  listener = createListener(database.url);
  await listener.start();
  clock = 0;
  logged = [];
});
afterEach(async () => {
  await watch?.stop();
  await listener.stop();
  await api.stop();
  await pool.query('delete from cluster');
});

function start(): HealthWatch {
  const destination = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n')) if (line) logged.push(JSON.parse(line));
      done();
    },
  });
  const log = createLogger({ level: 'info', format: 'json', destination });
  const onError = (error: unknown) => expect.unreachable(String(error));
  return startHealthWatch({ db, vault: TEST_VAULT, listener, log, version: 'test', onError, now: () => clock });
}
const add = (name: string, server = api.url, token = 'geheim-token') =>
  createCluster(
    db,
    TEST_VAULT,
    {
      ...{ ...CLUSTER_DEFAULTS, name, namespaces: ['jobs'] },
      access: { credentials: { kind: 'token', server, token, ca: null, insecure: true }, server, insecure: true },
    },
    { actor: 'test' },
  );
const until = (name: string, health: string) =>
  waitFor(async () => ((await findCluster(db, name))?.health === health ? findCluster(db, name) : null));

describe('the watch over clusters', () => {
  it('finds one well, loses it, and finds it again; each change is one line of the log', async () => {
    watch = start();
    await add('eu');
    expect(await until('eu', 'ok')).toMatchObject({
      version: 'v1.31.2',
      missing_permissions: [],
      health_message: null,
    });
    const asked = api.answers.asked.length;
    api.answers.version = 503;
    clock += 60_000;
    watch.suspect('eu');
    const lost = await until('eu', 'unreachable');
    // Only a sign of life was asked for, and no answer gives a secret away
    expect(api.answers.asked.length - asked).toBe(1);
    expect(lost!.health_message).toBe('Its API answered 503: no: ***');
    expect(lost!.version).toBe('v1.31.2');
    api.answers.version = 200;
    clock += 60_000;
    watch.suspect('eu');
    await until('eu', 'ok');
    expect(logged.map(({ msg, cluster, state, was }) => [msg, cluster, state, was])).toEqual([
      ['the cluster is well', 'eu', 'ok', 'unknown'],
      ['the cluster is not well', 'eu', 'unreachable', 'ok'],
      ['the cluster is well', 'eu', 'ok', 'unreachable'],
    ]);
    expect(JSON.stringify(logged)).not.toContain('geheim');
  });

  it('says what may not be done there, and sees that it was granted', async () => {
    api.answers.allowed = false;
    await add('poor');
    watch = start();
    const poor = await until('poor', 'degraded');
    expect(poor!.missing_permissions).toContain('create pods in jobs');
    expect(poor!.missing_permissions).toContain('create tokenreviews');
    expect(poor!.health_message).toMatch(/^May not "create" pods in namespace jobs: no task can start\./);
    expect(poor!.health_message).toMatch(/And \d+ more permissions are missing\.$/);
    api.answers.allowed = true;
    clock += 60_000;
    watch.suspect('poor');
    expect(await until('poor', 'ok')).toMatchObject({ missing_permissions: [], health_message: null });
  });

  it.each([
    [401, 'It does not accept our credentials (401): they have expired or were revoked. Give new ones.'],
    [500, 'Its API answered 500: no: ***'],
  ])('tells what an answer of %i means', async (status, message) => {
    api.answers.version = status;
    await add('odd');
    watch = start();
    expect(await until('odd', 'unreachable')).toMatchObject({ health_message: message });
  });

  it('says nothing of a cluster whose answer its own stop has cut off', async () => {
    api.answers.version = 0;
    await add('slow');
    watch = start();
    await waitFor(() => (api.answers.asked.length > 0 ? true : null), { what: 'a look' });
    await watch.stop();
    expect(await findCluster(db, 'slow')).toMatchObject({ health: 'unknown', checked_at: null });
    expect(logged).toEqual([]);
  });

  it('follows a change at once: another address, credentials that are no good, and back', async () => {
    watch = start();
    await add('moved', 'http://127.0.0.1:1');
    await until('moved', 'unreachable');
    const access = (server: string) => ({
      credentials: { kind: 'token' as const, server, token: 'geheim-token', ca: null, insecure: true },
      ...{ server, insecure: true },
    });
    await updateCluster(db, TEST_VAULT, 'moved', { access: access(api.url) }, { actor: 'test' });
    await until('moved', 'ok');
    await pool.query(`update cluster set sealed = '\\x00', revision = revision + 1 where name = 'moved'`);
    await pool.query(`select pg_notify('millrace_cluster', 'moved')`);
    const sealed = await until('moved', 'unreachable');
    expect(sealed!.health_message).toContain('The secret of cluster moved cannot be read');
    await updateCluster(db, TEST_VAULT, 'moved', { access: access(api.url) }, { actor: 'test' });
    await until('moved', 'ok');
  });
});

describe('the next look', () => {
  const looked = (state: 'ok' | 'unreachable'): Looked => ({
    ...{ revision: 3, at: 1_000 },
    health: { state, message: null, version: null, missingPermissions: [] },
  });
  it.each([
    ['is due when none was', undefined, false, -Infinity],
    ['is half a minute later when all is well', looked('ok'), false, 31_000],
    ['is sooner when it is not', looked('unreachable'), false, 11_000],
    ['is soon when something went wrong', looked('ok'), true, 3_000],
    ['is due after a change', { ...looked('ok'), revision: 2 }, false, -Infinity],
  ])('%s', (_what, last, isSuspect, at) => {
    expect(nextLook({ revision: 3 }, last, isSuspect)).toBe(at);
  });
});

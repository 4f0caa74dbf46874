import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createClusterClient, type ClusterClientOptions } from '#server/executors/kubernetes/cluster-client.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { REQUIRED_PERMISSIONS, resourceName } from '#server/executors/kubernetes/permissions.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';
import { startFakeKube, type FakeKubeOptions } from '../../../helpers/fake-kube.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const NAMESPACE = 'tasks';
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const pod = (name: string): KubePod => ({ metadata: { name }, spec: { containers: [{ name: 'base', image: 'x' }] } });

async function start(options: Partial<ClusterClientOptions> = {}, fake: FakeKubeOptions = {}) {
  const kube = await startFakeKube({ script: () => ({ scheduleMs: null }), ...fake });
  closing.push(kube.close);
  const asked: string[] = [];
  const client = createClusterClient({
    name: 'fake',
    credentials: kube.credentials,
    limits: { qps: 1000, burst: 1000, parallelCreates: 4 },
    userAgent: 'test',
    onRequest: (verb, resource, status) => asked.push(`${verb} ${resource} ${status}`),
    ...options,
  });
  closing.push(client.close);
  return { kube, client, asked };
}

describe('the client of a cluster, when things go wrong', () => {
  it('does not know whether a Pod was created when the answer was lost, and finds it by its name', async () => {
    const { kube, client, asked } = await start();
    kube.fail({ verb: 'create', carriedOut: true, drop: true });
    expect(await client.createPod(NAMESPACE, pod('p'))).toMatchObject({ kind: 'unknown' });
    expect(await client.createPod(NAMESPACE, pod('p'))).toEqual({ kind: 'exists' });
    expect(await client.getPod(NAMESPACE, 'p')).toMatchObject({ metadata: { name: 'p' } });
    expect(asked).toEqual(['create pods 0', 'create pods 409', 'get pods 200']);
  });

  it('does not know either after a 5xx or when time is up', async () => {
    const { kube, client } = await start({ timeoutMs: 50 });
    kube.fail({ verb: 'create', status: 504, message: 'Timeout: request did not complete' });
    expect(await client.createPod(NAMESPACE, pod('p'))).toMatchObject({ kind: 'unknown' });
    kube.fail({ verb: 'create', delayMs: 10_000, drop: true });
    expect(await client.createPod(NAMESPACE, pod('p'))).toMatchObject({
      kind: 'unknown',
      message: expect.stringContaining('none within the time allowed for create pods'),
    });
  });

  it('names credentials that no request can carry, and an answer of something else', async () => {
    const credentials = { kind: 'token' as const, server: 'https://127.0.0.1:1', token: 'geheim\n2', ca: null };
    const { client: unable } = await start({ credentials });
    await expect(unable.version()).rejects.toThrow(/credentials cannot be used: their token has a character/);
    const other = createServer((_request, answer) => answer.end('null')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    closing.push(() => other.close());
    const server = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { client: nobody } = await start({ credentials: { ...credentials, server, token: 'x', insecure: true } });
    await expect(nobody.version()).rejects.toThrow(/something that is no object/);
    await expect(nobody.getPod(NAMESPACE, 'p')).rejects.toThrow(/something that is no object/);
  });

  it('waits when nothing can have happened: no server, a quota', async () => {
    const { kube, client } = await start({}, { quotaPods: 1 });
    expect(await client.createPod(NAMESPACE, pod('a'))).toMatchObject({ kind: 'created' });
    expect(await client.createPod(NAMESPACE, pod('b'))).toMatchObject({ kind: 'wait', reason: 'quota' });
    await kube.close();
    closing.splice(closing.indexOf(kube.close), 1);
    expect(await client.createPod(NAMESPACE, pod('b'))).toMatchObject({
      kind: 'wait',
      reason: 'unavailable',
      message: expect.stringContaining('cannot be reached'),
    });
    await expect(client.listPods(NAMESPACE)).rejects.toMatchObject({ status: 0, neverSent: true });
  });

  it('creates nothing for as long as it is asked to wait; other requests go on', async () => {
    const { kube, client } = await start();
    kube.fail({ verb: 'create', status: 429, retryAfter: 30, message: 'too many requests' });
    expect(await client.createPod(NAMESPACE, pod('a'))).toMatchObject({
      kind: 'wait',
      reason: 'throttled',
      retryAfterSeconds: 30,
    });
    expect(client.pausedFor()).toBeGreaterThan(25);
    const leaving = new AbortController();
    const waiting = client.createPod(NAMESPACE, pod('b'), leaving.signal);
    expect((await client.listPods(NAMESPACE)).items).toEqual([]);
    leaving.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    expect(kube.count('create')).toBe(1);
  });

  it('keeps to its number of creations at once', async () => {
    const { client } = await start({}, { createLatencyMs: 20 });
    const startedAt = performance.now();
    const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const answers = await Promise.all(names.map((name) => client.createPod(NAMESPACE, pod(name))));
    expect(answers.every(({ kind }) => kind === 'created')).toBe(true);
    // Twenty, four at a time, 20 ms each.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(95);
  });

  it('uses its connections again, and one that was closed meanwhile is no failure', async () => {
    const { kube, client } = await start();
    for (let i = 0; i < 5; i++) await client.listPods(NAMESPACE);
    expect(kube.connections()).toBe(1);
    for (let i = 0; i < 5; i++) {
      kube.closeIdle();
      expect(await client.createPod(NAMESPACE, pod(`p${i}`))).toMatchObject({ kind: 'created' });
    }
  });

  it('opens no more than some connections, however much it is asked for', async () => {
    const { kube, client } = await start();
    const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => client.deletePod(NAMESPACE, `p${i}`)));
    expect(new Set(answers)).toEqual(new Set(['gone']));
    expect(kube.connections()).toBeLessThanOrEqual(32);
  });

  it('deletes the Pod that was meant, and no other of its name', async () => {
    const { client } = await start();
    await client.createPod(NAMESPACE, pod('p'));
    expect(await client.deletePod(NAMESPACE, 'p', { uid: 'another' })).toBe('other');
    const uid = (await client.getPod(NAMESPACE, 'p'))!.metadata!.uid!;
    expect(await client.deletePod(NAMESPACE, 'p', { uid })).toBe('deleted');
    expect(await client.deletePod(NAMESPACE, 'p', { uid })).toBe('gone');
  });

  it('reads a list whose pages got too old all at once', async () => {
    const { kube, client } = await start();
    for (const name of ['a', 'b', 'c']) await client.createPod(NAMESPACE, pod(name));
    kube.fail({ verb: 'list', withParameter: 'continue', status: 410, reason: 'Expired' });
    const { items } = await client.listPods(NAMESPACE, undefined, { pageSize: 2 });
    expect(items.map(({ metadata }) => metadata!.name)).toEqual(['a', 'b', 'c']);
  });

  it('shows no token, whatever it is told', async () => {
    const { kube, client } = await start();
    kube.fail({ verb: 'list', status: 403, message: `Bearer ${kube.credentials.token} may not list pods` });
    await expect(client.listPods(NAMESPACE)).rejects.toThrow('Bearer *** may not list pods');
  });

  it('asks for its credentials again when they were refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-test-'));
    closing.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'credential.json');
    const apiVersion = 'client.authentication.k8s.io/v1';
    const write = (token: string) =>
      writeFile(file, JSON.stringify({ apiVersion, kind: 'ExecCredential', status: { token } }));
    await write('first-token');
    const kube = await startFakeKube();
    closing.push(kube.close);
    const exec = { apiVersion, command: 'cat', args: [file] };
    const kubeconfig = JSON.stringify({
      'current-context': 'a',
      clusters: [{ name: 'c', cluster: { server: kube.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { exec } }],
      contexts: [{ name: 'a', context: { cluster: 'c', user: 'u' } }],
    });
    const { client, asked } = await start({
      credentials: { kind: 'kubeconfig', kubeconfig, context: null, allowExec: true },
    });
    await client.listPods(NAMESPACE);
    await write('second-token');
    kube.fail({ verb: 'list', status: 401, message: 'Unauthorized' });
    await client.listPods(NAMESPACE);
    expect([...kube.authorizations]).toEqual(['Bearer first-token', 'Bearer second-token']);
    expect(asked).toEqual(['list pods 200', 'list pods 200']);
    // The same once more: asking again would not help.
    kube.fail({ verb: 'list', status: 401, message: 'Unauthorized' });
    await expect(client.listPods(NAMESPACE)).rejects.toMatchObject({ status: 401 });
  });

  it('knows how far the clock of its cluster is from this one, once it has heard of it', async () => {
    const hour = 3_600_000;
    const { client } = await start({}, { clockMs: -hour });
    expect(client.clockOffset()).toBe(0);
    await expect(client.getPod(NAMESPACE, 'x')).resolves.toBeNull();
    expect(Math.abs(client.clockOffset() + hour)).toBeLessThan(60_000);
  });

  it('takes no names that could lead elsewhere', async () => {
    const { kube, client } = await start();
    await expect(client.getPod(NAMESPACE, '../../secrets/x')).rejects.toThrow('is not a name');
    await expect(client.getPod('a/b', 'x')).rejects.toThrow('is not a namespace');
    const object = { apiVersion: '../v1', kind: 'X', metadata: { name: 'x' } };
    expect(await client.createObject(object, NAMESPACE)).toMatchObject({ kind: 'rejected' });
    expect([...kube.counts.keys()]).toEqual([]);
  });

  it('ends what is under way when it is closed', async () => {
    const { kube, client } = await start();
    kube.fail({ verb: 'get', delayMs: 60_000 });
    const asking = client.getPod(NAMESPACE, 'x');
    await waitFor(() => kube.count('get') === 1);
    client.close();
    await expect(asking).rejects.toThrow('the cluster was closed');
  });
});

describe('the permissions of Millrace', () => {
  it('are the verbs that it uses, no more and no less', async () => {
    const { client, asked } = await start({}, { script: () => ({}) });
    const watch = startPodWatch({
      client,
      namespace: NAMESPACE,
      labelSelector: '',
      onPod: () => undefined,
      onGone: () => undefined,
      onError: () => undefined,
    });
    await watch.synced;
    await client.createPod(NAMESPACE, pod('p'));
    await waitFor(async () => (await client.getPod(NAMESPACE, 'p'))?.status?.phase === 'Succeeded');
    (await client.podLog(NAMESPACE, 'p', { container: 'base' })).resume();
    await client.listEvents(NAMESPACE, 'u');
    await client.quotas(NAMESPACE);
    await client.limitRanges(NAMESPACE);
    await client.deletePod(NAMESPACE, 'p');
    await watch.stop();
    const used = new Set(asked.map((each) => each.replace(/ \d+$/, '')));
    const granted = REQUIRED_PERMISSIONS.map((access) => `${access.verb} ${resourceName(access)}`);
    expect([...used].sort()).toEqual(granted.sort());
  });
});

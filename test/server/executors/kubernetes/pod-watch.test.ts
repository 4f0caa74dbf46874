import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { createClusterClient, type ClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { startPodWatch, type PodWatchOptions } from '#server/executors/kubernetes/pod-watch.ts';
import { startFakeKube, type FakeKube, type FakeKubeOptions } from '../../../helpers/fake-kube.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const NAMESPACE = 'tasks';
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const pod = (name: string, labels = { owner: 'me' }): KubePod => ({
  metadata: { name, labels },
  spec: { containers: [{ name: 'base', image: 'x' }] },
});

/** Nothing happens to Pods by itself. */
const still = () => ({ scheduleMs: null });

async function start(options: Partial<PodWatchOptions> = {}, fake: FakeKubeOptions = {}) {
  const kube: FakeKube = await startFakeKube({ script: still, ...fake });
  closing.push(kube.close);
  const client: ClusterClient = createClusterClient({
    name: 'fake',
    credentials: kube.credentials,
    limits: { qps: 1000, burst: 1000, parallelCreates: 10 },
    userAgent: 'test',
  });
  closing.push(client.close);
  const told: string[] = [];
  const errors: string[] = [];
  const watch = startPodWatch({
    client,
    namespace: NAMESPACE,
    labelSelector: 'owner=me',
    onPod: ({ metadata, status }) => told.push(`${metadata!.name} ${status!.phase}`),
    onGone: ({ metadata }) => told.push(`${metadata!.name} gone`),
    onSynced: (all) => told.push(`synced ${all.length}`),
    onError: (error, context) => errors.push(`${context}: ${String(error)}`),
    pauseMs: 1,
    mostPauseMs: 10,
    ...options,
  });
  closing.push(watch.stop);
  await watch.synced;
  await waitFor(() => kube.watching() === 1, { what: 'the watch' });
  return { kube, client, watch, told, errors };
}

const create = (client: ClusterClient, ...names: string[]) =>
  Promise.all(names.map((name) => client.createPod(NAMESPACE, pod(name))));
const setPhase = (phase: string) => (each: KubePod) => {
  each.status = { ...each.status, phase };
};

describe('a watch of Pods', () => {
  it('tells of Pods that come, change and go, and lists once only', async () => {
    const { kube, client, watch, told, errors } = await start();
    await create(client, 'a');
    await client.createPod(NAMESPACE, pod('other', { owner: 'you' }));
    kube.change(NAMESPACE, 'a', setPhase('Running'));
    await client.deletePod(NAMESPACE, 'a');
    await waitFor(() => told.includes('a gone'));
    expect(told).toEqual(['synced 0', 'a Pending', 'a Running', 'a gone']);
    expect(kube.count('list')).toBe(1);
    expect(kube.count('watch')).toBe(1);
    expect(watch.counters).toMatchObject({ watches: 1, relists: 1, restarts: 0, syntheticDeletes: 0 });
    expect(watch.counters.lastEventAt).toBeGreaterThan(0);
    expect(watch.problem()).toBeNull();
    expect(errors).toEqual([]);
  });

  it('lists anew after a broken watch, tells what it missed once, and what vanished meanwhile', async () => {
    const { kube, client, watch, told } = await start();
    await create(client, 'a', 'b', 'c');
    await waitFor(() => told.length === 4);
    kube.fail({ verb: 'list', times: Infinity, status: 503, message: 'not now' });
    kube.endWatches('reset');
    await waitFor(() => kube.count('list') >= 2, { what: 'a refused list' });
    kube.change(NAMESPACE, 'a', setPhase('Succeeded'));
    kube.remove(NAMESPACE, 'b');
    kube.heal();
    await waitFor(() => told.includes('synced 2'));
    expect(told.slice(4)).toEqual(['b gone', 'a Succeeded', 'synced 2']);
    expect(watch.counters).toMatchObject({ syntheticDeletes: 1, relists: 2 });
    await create(client, 'd');
    await waitFor(() => told.includes('d Pending'));
    expect(told.filter((line) => line.startsWith('c'))).toEqual(['c Pending']);
    expect(watch.problem()).toBeNull();
  });

  it('tells a Pod that was made anew under its name as gone and come', async () => {
    const { kube, client, told } = await start();
    await create(client, 'a');
    await waitFor(() => told.length === 2);
    kube.fail({ verb: 'list', times: Infinity, status: 500 });
    kube.endWatches('reset');
    await waitFor(() => kube.count('list') >= 2);
    kube.remove(NAMESPACE, 'a');
    await create(client, 'a');
    kube.heal();
    await waitFor(() => told.includes('synced 1'));
    expect(told.slice(2)).toEqual(['a gone', 'a Pending', 'synced 1']);
  });

  it('goes on from the last version, without a list, when the server ends a watch in time', async () => {
    const { kube, client, watch, told } = await start({ watchSeconds: [1, 1] });
    await create(client, 'a');
    await waitFor(() => kube.count('watch') >= 2);
    await create(client, 'b');
    await waitFor(() => told.includes('b Pending'));
    expect(told).toEqual(['synced 0', 'a Pending', 'b Pending']);
    expect(kube.count('list')).toBe(1);
    expect(watch.counters.restarts).toBe(0);
  });

  it('lists when its version is too old, whether told as an event or as a status', async () => {
    const { kube, client, watch, told, errors } = await start({ watchSeconds: [1, 1] });
    await create(client, 'a');
    await waitFor(() => told.length === 2);
    kube.compact();
    await waitFor(() => watch.counters.relists === 2, { what: 'a list after the ERROR event' });
    kube.fail({ verb: 'watch', status: 410, reason: 'Expired', message: 'too old' });
    await waitFor(() => errors.some((error) => error.includes('too old')), { what: 'the status 410' });
    await waitFor(() => watch.counters.relists === 3, { what: 'a list after the status 410' });
    await create(client, 'b');
    await waitFor(() => told.includes('b Pending'));
  });

  it('drops a watch that has fallen silent, but not one that only has bookmarks', async () => {
    const { kube, client, watch, told } = await start({ silentMs: 300 }, { bookmarkMs: 50 });
    await create(client, 'a');
    await waitFor(() => told.includes('a Pending'));
    kube.silence(true);
    kube.change(NAMESPACE, 'a', setPhase('Succeeded'));
    await waitFor(() => told.includes('a Succeeded'), { what: 'what happened in silence' });
    kube.silence(false);
    expect(watch.counters.silences).toBeGreaterThanOrEqual(1);
    await waitFor(() => kube.watching() === 1);
    const { silences } = watch.counters;
    const watches = kube.count('watch');
    const bookmarks = kube.bookmarks();
    // So many of them take longer than the silence that is allowed.
    await waitFor(() => kube.bookmarks() > bookmarks + 10);
    expect(watch.counters.silences).toBe(silences);
    expect(kube.count('watch')).toBe(watches);
  });

  it('lists at times for no reason, and when asked', async () => {
    const { kube, client, watch, told } = await start({ relistMs: 200 });
    await create(client, 'a');
    await waitFor(() => watch.counters.relists >= 4);
    expect(watch.counters.restarts).toBe(0);
    expect(told.filter((line) => line.startsWith('a'))).toEqual(['a Pending']);
    expect(kube.watching()).toBeLessThanOrEqual(1);

    const calm = await start();
    calm.watch.relist();
    await waitFor(() => calm.watch.counters.relists === 2);
    expect(calm.watch.counters.restarts).toBe(0);
    expect(calm.errors).toEqual([]);
  });

  it('lists at times for no reason, whatever the collector of garbage takes meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { watch } = await start({ relistMs: 200 });
    await waitFor(
      () => {
        collect();
        return watch.counters.relists >= 3;
      },
      { what: 'lists for no reason' },
    );
  });

  it('goes on after an object that nobody can deal with', async () => {
    const told: string[] = [];
    const onPod = ({ metadata }: KubePod) => {
      if (metadata!.name === 'bad') throw new Error('cannot read this');
      told.push(metadata!.name!);
    };
    const { kube, client, watch, errors } = await start({ onPod });
    await create(client, 'bad');
    kube.tellWatchers('this is not JSON\n');
    kube.tellWatchers('{"type":"MODIFIED"}\n');
    kube.tellWatchers('{"type":"ADDED","object":{"metadata":null}}\n');
    await create(client, 'good');
    await waitFor(() => told.includes('good'));
    expect(kube.count('watch')).toBe(1);
    expect(watch.counters.failedObjects).toBeGreaterThanOrEqual(3);
    expect(errors[0]).toBe('onObject: Error: cannot read this');
  });

  it('pauses longer and longer while the API is away, says why, and comes back', async () => {
    const { kube, watch, told } = await start();
    kube.fail({ verb: 'list', times: Infinity, status: 500, message: 'etcdserver: no leader' });
    kube.endWatches('reset');
    await waitFor(() => watch.counters.restarts >= 5);
    expect(watch.problem()).toBe('etcdserver: no leader');
    kube.heal();
    await waitFor(() => told.filter((line) => line.startsWith('synced')).length === 2);
    await waitFor(() => watch.problem() === null);
  });

  it('stops at once, whatever it does', async () => {
    const { kube, watch } = await start({ pauseMs: 60_000, mostPauseMs: 60_000 });
    kube.fail({ verb: 'list', times: 99, status: 500 });
    kube.endWatches('reset');
    await waitFor(() => watch.counters.restarts === 1);
    await watch.stop();
    const other = await start();
    await other.watch.stop();
    await waitFor(() => other.kube.watching() === 0);
  });
});

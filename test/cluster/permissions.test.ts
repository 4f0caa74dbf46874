import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { createClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import { startObjectWatch } from '#server/executors/kubernetes/object-watch.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';
import { describeCluster, hasEnded, randomName } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait-for.ts';

describeCluster('the permissions Millrace asks for', (cluster) => {
  it('are enough for all it does with a Pod', async () => {
    const { secondCluster, pod } = cluster();
    const { namespace, credentials } = await secondCluster();
    const refused: string[] = [];
    const client = createClusterClient({
      name: 'second',
      credentials,
      limits: { qps: 100, burst: 100, parallelCreates: 5 },
      userAgent: 'test',
      onRequest: (verb, resource, status) => {
        if (status === 401 || status === 403) refused.push(`${verb} ${resource}`);
      },
    });
    const watch = startPodWatch({
      client,
      namespace,
      labelSelector: '',
      onPod: () => undefined,
      onGone: () => undefined,
      onError: (error) => refused.push(String(error)),
    });
    await watch.synced;
    const body = pod('echo hello');
    const name = body.metadata!.name!;
    expect((await client.createPod(namespace, body)).kind).toBe('created');
    const ended = await waitFor(
      async () => {
        const found = await client.getPod(namespace, name);
        return found && hasEnded(found) ? found : null;
      },
      { timeoutMs: 60_000 },
    );
    expect(await text(await client.podLog(namespace, name, { container: 'base' }))).toBe('hello\n');
    await client.listEvents(namespace, ended.metadata!.uid!);
    await client.quotas(namespace);
    await client.limitRanges(namespace);
    expect(await client.deletePod(namespace, name, { uid: ended.metadata!.uid, graceSeconds: 0 })).toBe('deleted');
    await watch.stop();
    client.close();
    expect(refused).toEqual([]);
  });

  it('are for Pods; any other kind can be watched by those who may', async () => {
    const { client, namespace, apply } = cluster();
    const told: string[] = [];
    const name = randomName('map');
    const watch = startObjectWatch({
      client,
      source: { apiVersion: 'v1', kind: 'ConfigMap', namespace, labelSelector: 'watched=yes' },
      onObject: ({ metadata }) => told.push(`${metadata!.name} there`),
      onGone: ({ metadata }) => told.push(`${metadata!.name} gone`),
      onError: (error) => told.push(String(error)),
    });
    await watch.synced;
    await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { watched: 'yes' } } });
    await waitFor(() => told.length === 1);
    await client.deleteObject({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
    await waitFor(() => told.length === 2);
    expect(told).toEqual([`${name} there`, `${name} gone`]);
    await watch.stop();
  });
});

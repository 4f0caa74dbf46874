import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, vi } from 'vitest';
import { createClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import { describeMissing, isUsable, REQUIRED_PERMISSIONS } from '#server/executors/kubernetes/permissions.ts';
import { describeCluster, hasEnded, randomName } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait-for.ts';

describeCluster('the client of a cluster', (cluster) => {
  it('creates a Pod, follows it to its end, reads its log and events, and deletes it', async () => {
    const { client, namespace, pod, waitForPod } = cluster();
    const body = pod('echo hello; exit 3');
    const name = body.metadata!.name!;
    const created = await client.createPod(namespace, body);
    expect(created).toMatchObject({ kind: 'created', object: { metadata: { name } } });
    expect(await client.createPod(namespace, body)).toEqual({ kind: 'exists' });

    const ended = await waitForPod(name, hasEnded);
    expect(ended.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(3);
    expect(await text(await client.podLog(namespace, name, { container: 'base' }))).toBe('hello\n');
    const uid = ended.metadata!.uid!;
    const reasons = await waitFor(async () => {
      const events = await client.listEvents(namespace, uid);
      return events.some(({ reason }) => reason === 'Started') && events.map(({ reason }) => reason);
    });
    expect(reasons).toContain('Scheduled');

    expect(await client.deletePod(namespace, name, { uid: '00000000-0000-0000-0000-000000000000' })).toBe('other');
    expect(await client.deletePod(namespace, name, { uid, graceSeconds: 0 })).toBe('deleted');
    await waitFor(async () => (await client.getPod(namespace, name)) === null);
    expect(await client.deletePod(namespace, name, { uid })).toBe('gone');
  });

  it('lists page by page', async () => {
    const { client, namespace, pod } = cluster();
    // Nothing runs: the scheduler named here does not exist.
    const spec = { schedulerName: 'nobody' };
    const names = [1, 2, 3, 4, 5].map((i) => `page-${i}`);
    for (const name of names)
      await client.createPod(namespace, pod('true', { name, spec, metadata: { labels: { page: 'yes' } } }));
    const { items, resourceVersion } = await client.listPods(namespace, 'page=yes', { pageSize: 2 });
    expect(items.map(({ metadata }) => metadata!.name).sort()).toEqual(names);
    expect(resourceVersion).toMatch(/^\d+$/);
    for (const name of names) await client.deletePod(namespace, name, { graceSeconds: 0 });
  });

  it('handles any kind of object, and says which it does not know', async () => {
    const { client, namespace } = cluster();
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: randomName('map') };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: ref.name }, data: { a: '1' } };
    expect((await client.createObject(object, namespace)).kind).toBe('created');
    expect(await client.getObject(ref)).toMatchObject({ data: { a: '1' } });
    expect(await client.deleteObject(ref)).toBe('deleted');
    expect(await client.getObject(ref)).toBeNull();
    const unknown = { apiVersion: 'sparkoperator.k8s.io/v1beta9', kind: 'Spark', metadata: { name: 'x' } };
    expect(await client.createObject(unknown, namespace)).toMatchObject({
      kind: 'rejected',
      message: expect.stringContaining('does not know Spark of sparkoperator.k8s.io/v1beta9'),
    });
  });

  it('names the field that was refused, and the namespace that is not there', async () => {
    const { client, namespace, pod } = cluster();
    const invalid = pod('true', { container: { resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } } });
    expect(await client.createPod(namespace, invalid)).toMatchObject({
      kind: 'rejected',
      path: 'spec.containers[0].resources.requests',
    });
    expect(await client.createPod('no-such-namespace', pod('true'))).toMatchObject({
      kind: 'rejected',
      message: expect.stringContaining('Namespace no-such-namespace does not exist.'),
    });
  });

  it('waits while a quota is used up, and reads it', async () => {
    const { client, pod, createNamespace, createQuota } = cluster();
    const where = await createNamespace();
    await createQuota(where, 'few', { pods: '1' });
    const spec = { schedulerName: 'nobody' };
    const first = pod('true', { spec });
    await waitFor(async () => (await client.createPod(where, first)).kind === 'created');
    expect(await client.createPod(where, pod('true', { spec }))).toMatchObject({
      kind: 'wait',
      reason: 'quota',
      message: expect.stringContaining('exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1'),
    });
    const [known] = await waitFor(async () => {
      const quotas = await client.quotas(where);
      return quotas[0]?.used['pods'] === '1' ? quotas : null;
    });
    expect(known).toEqual({ name: 'few', hard: { pods: '1' }, used: { pods: '1' }, scopes: [] });
    await client.deletePod(where, first.metadata!.name!, { graceSeconds: 0 });
    await waitFor(async () => (await client.createPod(where, pod('true', { spec }))).kind === 'created');
  });

  it('reads limit ranges', async () => {
    const { client, createNamespace, apply } = cluster();
    const where = await createNamespace();
    const limits = [{ type: 'Container', max: { cpu: '1' }, default: { cpu: '500m' } }];
    await apply({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'small' }, spec: { limits } }, where);
    expect(await client.limitRanges(where)).toMatchObject([{ name: 'small', limits }]);
  });

  it('says which permissions are missing, and whose a token is', async () => {
    const { client, secondCluster, createUser, createNamespace } = cluster();
    const limits = { qps: 50, burst: 50, parallelCreates: 5 };
    const second = await secondCluster();
    const able = createClusterClient({ name: 'b', credentials: second.credentials, limits, userAgent: 'test' });
    const answers = await able.reviewAccess(second.namespace, REQUIRED_PERMISSIONS);
    expect(describeMissing(second.namespace, answers)).toEqual([]);
    expect(isUsable(answers)).toBe(true);
    await expect(able.listPods('kube-system')).rejects.toMatchObject({ status: 403 });
    able.close();

    const where = await createNamespace();
    const reader = await createUser([{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }], where);
    const unable = createClusterClient({ name: 'c', credentials: reader.credentials, limits, userAgent: 'test' });
    const missing = await unable.reviewAccess(where, REQUIRED_PERMISSIONS);
    expect(isUsable(missing)).toBe(false);
    expect(describeMissing(where, missing)[0]).toBe(`May not "create" pods in namespace ${where}: no task can start.`);
    unable.close();

    const { token } = second.credentials;
    const [audience = ''] = (await client.reviewToken(token, [])).audiences;
    expect(await client.reviewToken(token, ['somebody-else'])).toMatchObject({ authenticated: false });
    if (audience)
      expect(await client.reviewToken(token, [audience])).toMatchObject({
        authenticated: true,
        namespace: second.namespace,
        podName: null,
      });
  });

  it('uses the context it is told to, and keeps clusters apart', async () => {
    const { secondCluster, client, namespace } = cluster();
    const { kubeconfig, context, namespace: theirs } = await secondCluster();
    const limits = { qps: 50, burst: 50, parallelCreates: 5 };
    const credentials = { kind: 'kubeconfig' as const, kubeconfig, context };
    const second = createClusterClient({ name: 'second', credentials, limits, userAgent: 'test' });
    expect((await second.listPods(theirs)).items).toEqual([]);
    await expect(second.listPods(namespace)).rejects.toMatchObject({ status: 403 });
    await client.listPods(namespace);
    expect(await second.version()).toMatch(/^v1\./);
    second.close();
  });

  it('takes the service account of its Pod, whose token changes', async () => {
    const { secondCluster } = cluster();
    const { namespace, credentials } = await secondCluster();
    const server = new URL(credentials.server);
    if (server.protocol !== 'https:' || credentials.ca === null) return;
    const folderPrefix = await mkdtemp(join(tmpdir(), 'millrace-test-'));
    const folder = join(folderPrefix, '/var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'ca.crt'), credentials.ca);
    await writeFile(join(folder, 'token'), 'a-token-that-is-no-longer-good');
    vi.stubEnv('KUBERNETES_SERVICE_HOST', server.hostname);
    vi.stubEnv('KUBERNETES_SERVICE_PORT', server.port || '443');
    const limits = { qps: 50, burst: 50, parallelCreates: 5 };
    const inside = createClusterClient({
      name: 'in',
      credentials: { kind: 'in_cluster', folderPrefix },
      limits,
      userAgent: 'test',
    });
    try {
      await expect(inside.listPods(namespace)).rejects.toMatchObject({ status: 401 });
      await writeFile(join(folder, 'token'), credentials.token);
      expect((await inside.listPods(namespace)).items).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      inside.close();
      await rm(folderPrefix, { recursive: true });
    }
  });
});

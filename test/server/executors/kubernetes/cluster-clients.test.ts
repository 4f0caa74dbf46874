import { afterAll, describe, expect, it } from 'vitest';
import { createListener } from '#db/listen.ts';
import { createCluster, deleteCluster, findCluster, updateCluster } from '#db/queries/clusters.ts';
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';
import { checkStored, createClusterClients } from '#server/executors/kubernetes/cluster-clients.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { TEST_VAULT } from '../../../helpers/engine.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const { db, url } = await createTestDatabase();
const listener = createListener(url);
await listener.start();
const errors: unknown[] = [];
const clients = createClusterClients({
  ...{ db, vault: TEST_VAULT, listener, userAgent: 'test', timeoutMs: 1_000 },
  onError: (error) => errors.push(error),
});
afterAll(async () => {
  clients.stop();
  await listener.stop();
});

const access = (token: string) => {
  const server = 'https://127.0.0.1:1';
  return { credentials: { kind: 'token' as const, server, token, ca: null }, server, insecure: false };
};
const create = (name: string) =>
  createCluster(
    db,
    TEST_VAULT,
    { name, access: access('one'), ...CLUSTER_DEFAULTS, namespaces: ['tasks'] },
    { actor: 'test' },
  );
const update = (name: string, change: Parameters<typeof updateCluster>[3]) =>
  updateCluster(db, TEST_VAULT, name, change, { actor: 'test' });

describe('the clients of clusters', () => {
  it('are one for each cluster, however many ask', async () => {
    await create('one');
    const [a, b] = await Promise.all([clients.get('one'), clients.get('one')]);
    expect(a?.name).toBe('one');
    expect([b, await clients.get('one')]).toEqual([a, a]);
    expect(await clients.get('none')).toBeNull();
  });

  it('are others when access or limits are changed, and go with their cluster', async () => {
    await create('two');
    const first = await clients.get('two');
    for (const change of [{ qps: 7 }, { access: access('two') }]) {
      const before = await clients.get('two');
      await update('two', change);
      await waitFor(async () => (await clients.get('two')) !== before, { what: 'another client' });
    }
    await expect(first!.version()).rejects.toThrow();
    await deleteCluster(db, 'two', { actor: 'test' });
    await waitFor(async () => (await clients.get('two')) === null, { what: 'none' });
  });

  it('stay when it is only paused', async () => {
    await create('three');
    const before = await clients.get('three');
    await update('three', { paused: true, description: 'another' });
    expect(await clients.get('three', { fresh: true })).toBe(before);
  });

  it('are fresh at once for who says so', async () => {
    await create('four');
    const before = await clients.get('four');
    await update('four', { access: access('three') });
    expect(await clients.get('four', { fresh: true })).not.toBe(before);
  });

  it('say what is wrong with a cluster that does not answer', async () => {
    await create('five');
    const record = await findCluster(db, 'five');
    expect(await checkStored(clients, record!)).toMatchObject({ state: 'unreachable' });
    expect(errors).toEqual([]);
  });
});

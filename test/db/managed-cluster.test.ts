import { expect, it } from 'vitest';
import { createCluster, findCluster, openCluster } from '#db/queries/clusters.ts';
import { keepCluster, releaseClusters, type ManagedCluster } from '#db/queries/managed-cluster.ts';
import { createVault } from '#db/vault.ts';
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';
import { createTestDatabase } from '../helpers/database.ts';

const { db, pool } = await createTestDatabase();
const vault = createVault(Buffer.alloc(32, 1));

const configured = (kubeconfig: string, namespaces = ['jobs']): ManagedCluster => ({
  name: 'default',
  namespaces,
  access: { credentials: { kind: 'kubeconfig', kubeconfig, context: 'c' }, server: 'https://c', insecure: false },
});

it('the cluster that the configuration names is made, follows it, and is left to people when it is gone', async () => {
  expect(await keepCluster(db, vault, configured('first'))).toBe(true);
  expect(await findCluster(db, 'default')).toMatchObject({ managed: true, revision: 1, updated_by: 'configuration' });
  expect(await keepCluster(db, vault, configured('first'))).toBe(false);
  expect(await keepCluster(db, vault, configured('second'))).toBe(true);
  expect(await keepCluster(db, vault, configured('second', ['a', 'b']))).toBe(true);
  expect(await openCluster(db, vault, 'default')).toMatchObject({
    record: { revision: 3, namespaces: ['a', 'b'] },
    credentials: { kubeconfig: 'second' },
  });
  // Another secret key, and the old one is lost
  expect(await keepCluster(db, createVault(Buffer.alloc(32, 2)), configured('second', ['a', 'b']))).toBe(true);
  expect(await releaseClusters(db, vault)).toEqual(['default']);
  expect(await findCluster(db, 'default')).toMatchObject({ managed: false });
  expect(await releaseClusters(db, vault)).toEqual([]);
});

it('one that people made is taken over, with what else they said of it', async () => {
  await pool.query('delete from cluster');
  const { name, access } = configured('theirs');
  await createCluster(
    db,
    vault,
    { ...CLUSTER_DEFAULTS, name, access, namespaces: ['x'], maxPods: 5 },
    { actor: 'ada' },
  );
  expect(await keepCluster(db, vault, configured('ours'))).toBe(true);
  expect(await findCluster(db, name)).toMatchObject({ managed: true, max_pods: 5, namespaces: ['jobs'] });
});

it('several processes that start at once make one', async () => {
  await pool.query('delete from cluster');
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => keepCluster(db, vault, configured('same'))));
  expect(outcomes).toContain(true);
  expect(await openCluster(db, vault, 'default')).toMatchObject({ credentials: { kubeconfig: 'same' } });
});

/** The cluster that the configuration of the service names. */
import { CLUSTER_DEFAULTS, type ClusterCredentials } from '#sdk/clusters.ts';
import type { Db } from '#db/client.ts';
import { VaultError, type Vault } from '#db/vault.ts';
import { createCluster, openCluster, updateCluster, type ClusterAccess } from './clusters.ts';

const ACTOR = 'configuration';

export interface ManagedCluster {
  name: string;
  access: ClusterAccess;
  namespaces: string[];
}

/** Makes the cluster as the configuration says; other settings of one that was there stay. False: it was so already. */
export async function keepCluster(db: Db, vault: Vault, cluster: ManagedCluster): Promise<boolean> {
  const { name, access, namespaces } = cluster;
  if (await isAsConfigured(db, vault, cluster)) return false;
  const by = { actor: ACTOR, managed: true };
  // One of them holds, whoever else starts at the same time
  return (
    (await updateCluster(db, vault, name, { access, namespaces }, by)) !== undefined ||
    (await createCluster(db, vault, { ...CLUSTER_DEFAULTS, ...cluster }, by)) !== undefined
  );
}

async function isAsConfigured(db: Db, vault: Vault, { name, access, namespaces }: ManagedCluster): Promise<boolean> {
  try {
    const known = await openCluster(db, vault, name);
    if (!known?.record.managed) return false;
    const parts = (credentials: ClusterCredentials, server: string | null, names: string[]) =>
      JSON.stringify([Object.entries(credentials).sort(), server, names]);
    const { record, credentials } = known;
    return (
      parts(credentials, record.server, record.namespaces) === parts(access.credentials, access.server, namespaces)
    );
  } catch (error) {
    // Under a key that is gone: the configuration gives the credentials anew
    if (error instanceof VaultError) return false;
    throw error;
  }
}

/** The configuration names no cluster any more: what it kept is for people to change. */
export async function releaseClusters(db: Db, vault: Vault): Promise<string[]> {
  const managed = await db.selectFrom('cluster').select('name').where('managed', '=', true).execute();
  for (const { name } of managed) await updateCluster(db, vault, name, {}, { actor: ACTOR, managed: false });
  return managed.map(({ name }) => name);
}

/** One client per cluster, for as long as the cluster stays as it is. */
import type { Db } from '#db/client.ts';
import { openCluster, type ClusterHealth, type ClusterRecord } from '#db/queries/clusters.ts';
import type { Vault } from '#db/vault.ts';
import { checkCluster, healthOfError } from './check-cluster.ts';
import { createClusterClient, type ClusterClient } from './cluster-client.ts';

export interface ClusterClientsDeps {
  db: Db;
  vault: Vault;
  userAgent: string;
  /** For one request. */
  timeoutMs?: number;
}

export interface ClusterClients {
  /** Undefined: there is no such cluster. @throws VaultError when its credentials cannot be read. */
  get(name: string): Promise<{ record: ClusterRecord; client: ClusterClient } | undefined>;
  stop(): void;
}

export function createClusterClients({ db, vault, userAgent, timeoutMs }: ClusterClientsDeps): ClusterClients {
  const known = new Map<string, { revision: number; client: ClusterClient }>();

  function forget(name: string): void {
    known.get(name)?.client.close();
    known.delete(name);
  }

  return {
    async get(name) {
      const opened = await openCluster(db, vault, name);
      if (!opened) return void forget(name);
      const { record, credentials } = opened;
      const made = known.get(name);
      if (made?.revision === record.revision) return { record, client: made.client };
      forget(name);
      const limits = { qps: record.qps, burst: record.burst, parallelCreates: record.parallel_creates };
      const client = createClusterClient({ name, credentials, limits, userAgent, ...(timeoutMs ? { timeoutMs } : {}) });
      known.set(name, { revision: record.revision, client });
      return { record, client };
    },
    stop() {
      for (const name of [...known.keys()]) forget(name);
    },
  };
}

/** All there is to know of it. Never rejects for what a cluster answers, nor for credentials that are no good. */
export async function checkStored(
  clients: ClusterClients,
  { name, namespaces }: ClusterRecord,
): Promise<ClusterHealth> {
  try {
    const opened = await clients.get(name);
    if (opened) return await checkCluster(opened.client, namespaces);
    return { state: 'unknown', message: null, version: null, missingPermissions: [] };
  } catch (error) {
    return healthOfError(error);
  }
}

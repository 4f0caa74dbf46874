/** One client for each cluster, shared by all who speak to it in this process. A cluster that is changed gets another client. */
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { CLUSTER_CHANGED, openCluster, type ClusterHealth, type ClusterRecord } from '#db/queries/clusters.ts';
import type { Vault } from '#db/vault.ts';
import type { ClusterCredentials } from '#sdk/clusters.ts';
import { checkCluster, healthOfError } from './check-cluster.ts';
import { createClusterClient, type ClusterClient, type ClusterClientOptions } from './cluster-client.ts';

export interface ClusterClients {
  /**
   * Null: there is no such cluster. Ask for each piece of work: the client of a cluster whose access or limits were changed is closed, and
   * all that it has under way fails.
   * `fresh`: as the cluster is stored now, also when the notification of its change is still under way.
   * @throws VaultError when its credentials cannot be read
   */
  get(name: string, options?: { fresh?: boolean }): Promise<ClusterClient | null>;
  stop(): void;
}

export interface ClusterClientsDeps {
  db: Db;
  vault: Vault;
  listener: Pick<Listener, 'on' | 'onResync'>;
  userAgent: string;
  /** For one request. */
  timeoutMs?: number;
  /** Of every request to a cluster; for metrics. */
  onRequest?(cluster: string, ...request: Parameters<NonNullable<ClusterClientOptions['onRequest']>>): void;
  /** What was changed could not be read; it is read again when it is asked for. */
  onError(error: unknown): void;
}

interface Entry {
  client: ClusterClient;
  /** What the client was made of. */
  made: string;
}

export function createClusterClients(deps: ClusterClientsDeps): ClusterClients {
  const { db, vault, listener, userAgent, timeoutMs, onRequest, onError } = deps;
  const entries = new Map<string, Entry>();
  const opening = new Map<string, Promise<ClusterClient | null>>();
  /** By name: grows when the cluster is changed. */
  const changes = new Map<string, number>();
  let stopped = false;

  const open = async (name: string): Promise<ClusterClient | null> => {
    const before = changes.get(name);
    const opened = await openCluster(db, vault, name);
    if (changes.get(name) !== before) return open(name);
    if (!opened || stopped) return null;
    const { record, credentials } = opened;
    const client = createClusterClient({
      name,
      credentials,
      limits: limitsOf(record),
      userAgent,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(onRequest && { onRequest: (...request) => onRequest(name, ...request) }),
    });
    entries.set(name, { client, made: describe(record, credentials) });
    return client;
  };

  const drop = (name: string, entry: Entry) => {
    if (entries.get(name) === entry) entries.delete(name);
    entry.client.close();
  };
  const changed = async (name: string): Promise<void> => {
    changes.set(name, (changes.get(name) ?? 0) + 1);
    const entry = entries.get(name);
    if (!entry) return;
    try {
      const opened = await openCluster(db, vault, name);
      // Its description, or whether it is paused, is nothing to the client
      const isSame = opened !== undefined && describe(opened.record, opened.credentials) === entry.made;
      if (!isSame) drop(name, entry);
    } catch (error) {
      drop(name, entry);
      onError(error);
    }
  };
  const offs = [
    listener.on(CLUSTER_CHANGED, (name) => void changed(name)),
    listener.onResync(() => [...entries.keys()].forEach((name) => void changed(name))),
  ];

  return {
    async get(name, { fresh = false } = {}) {
      if (fresh) await changed(name);
      const entry = entries.get(name);
      if (entry) return entry.client;
      const underway = opening.get(name) ?? open(name).finally(() => opening.delete(name));
      opening.set(name, underway);
      return underway;
    },
    stop() {
      stopped = true;
      for (const off of offs) off();
      for (const [name, entry] of entries) drop(name, entry);
    },
  };
}

const limitsOf = ({ qps, burst, parallel_creates: parallelCreates }: ClusterRecord) => ({
  qps,
  burst,
  parallelCreates,
});
const describe = (record: ClusterRecord, credentials: ClusterCredentials): string =>
  JSON.stringify([limitsOf(record), credentials]);

/** All there is to know of it. Never rejects for what a cluster answers, nor for credentials that are no good. */
export async function checkStored(
  clients: ClusterClients,
  { name, namespaces }: ClusterRecord,
): Promise<ClusterHealth> {
  try {
    const client = await clients.get(name, { fresh: true });
    if (client) return await checkCluster(client, namespaces);
    return { state: 'unknown', message: null, version: null, missingPermissions: [] };
  } catch (error) {
    return healthOfError(error);
  }
}

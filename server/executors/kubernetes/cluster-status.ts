/** Answers the API's questions about clusters by asking them. */
import type { Db } from '#db/client.ts';
import { findCluster, setClusterHealth } from '#db/queries/clusters.ts';
import type { ClusterStatus, NamespaceLimit, NamespaceStatus } from '#schema/cluster-status.ts';
import { healthOfError } from './check-cluster.ts';
import type { ClusterClient } from './cluster-client.ts';
import { checkStored, type ClusterClients } from './cluster-clients.ts';
import { KubeError } from './kube-error.ts';
import type { NamespaceLimits } from './namespace-limits.ts';

const FRESH_MS = 10_000;

export interface ClusterStatusDeps {
  db: Db;
  /** A page waits for their answers. */
  clients: ClusterClients;
  /** Monotonic, in milliseconds. */
  now?: () => number;
}

export function createClusterStatus({ db, clients, now = () => performance.now() }: ClusterStatusDeps): ClusterStatus {
  const known = new Map<string, { until: number; status: Promise<NamespaceStatus> }>();

  async function read(name: string, namespace: string): Promise<NamespaceStatus> {
    try {
      const client = await clients.get(name);
      if (client) return await readNamespace(client, namespace);
      return failed(`There is no cluster "${name}".`);
    } catch (error) {
      if (error instanceof KubeError && error.status === 403)
        return failed(`Quotas of namespace ${namespace} may not be listed by our credentials.`);
      return failed(healthOfError(error).message ?? 'It cannot be read.');
    }
  }

  return {
    async check(name) {
      const record = await findCluster(db, name);
      if (record) await setClusterHealth(db, record, await checkStored(clients, record));
    },
    namespace(name, namespace) {
      const key = `${name}/${namespace}`;
      const before = known.get(key);
      if (before && before.until > now()) return before.status;
      for (const [other, { until }] of known) if (until <= now()) known.delete(other);
      const reading = read(name, namespace);
      known.set(key, { until: now() + FRESH_MS, status: reading });
      reading.catch(() => known.delete(key));
      return reading;
    },
  };
}

const failed = (error: string): NamespaceStatus => ({ quotas: [], limitRanges: [], error });

async function readNamespace(client: ClusterClient, namespace: string): Promise<NamespaceStatus> {
  const [quotas, limitRanges] = await Promise.all([client.quotas(namespace), client.limitRanges(namespace)]);
  return {
    quotas,
    limitRanges: limitRanges.map(({ name, limits }) => ({ name, limits: limits.flatMap(byResource) })),
    error: null,
  };
}

const SAID = ['min', 'max', 'default', 'defaultRequest'] as const;

/** On the wire the field is called `default`, in the types of the client `_default`. */
function byResource(limit: NamespaceLimits['limits'][number]): NamespaceLimit[] {
  const said = limit as { [field: string]: unknown };
  const of = (field: string) => (said[field] ?? {}) as { [resource: string]: string };
  const resources = [...new Set(SAID.flatMap((field) => Object.keys(of(field))))].sort();
  return resources.map((resource) => ({
    type: limit.type,
    resource,
    min: of('min')[resource] ?? null,
    max: of('max')[resource] ?? null,
    default: of('default')[resource] ?? null,
    defaultRequest: of('defaultRequest')[resource] ?? null,
  }));
}

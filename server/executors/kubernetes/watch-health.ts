/** Looks after the health of clusters: what they answer, and what we may do there. */
import type { Listener } from '#db/listen.ts';
import {
  CLUSTER_CHANGED,
  listClusters,
  setClusterHealth,
  type ClusterHealth,
  type ClusterRecord,
} from '#db/queries/clusters.ts';
import type { Logger } from '../../log.ts';
import { startLoop } from '../../scheduler/loop.ts';
import { healthOfError } from './check-cluster.ts';
import { checkStored, createClusterClients, type ClusterClients, type ClusterClientsDeps } from './cluster-clients.ts';
import { nextLook, type Looked } from './next-look.ts';

/** For one request. */
const TIMEOUT_MS = 10_000;
/** What stays as it is is written down this often, so that one sees that somebody looks. */
const WRITE_MS = 5 * 60_000;
const MOST_MS = 30_000;

export interface HealthWatchDeps extends Pick<ClusterClientsDeps, 'db' | 'vault' | 'onRequest'> {
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
  version: string;
  onError(error: unknown, loop: string): void;
  /** Monotonic, in milliseconds. */
  now?: () => number;
}

export interface HealthWatch {
  /** Something asked of this cluster went wrong: look soon. */
  suspect(cluster: string): void;
  stop(): Promise<void>;
}

export function startHealthWatch(deps: HealthWatchDeps): HealthWatch {
  const { db, vault, listener, log, version, onError, now = () => performance.now() } = deps;
  const name = 'watch clusters';
  const clients = createClusterClients({
    ...{ db, vault, listener },
    userAgent: `millrace/${version} (health)`,
    timeoutMs: TIMEOUT_MS,
    ...(deps.onRequest && { onRequest: deps.onRequest }),
    // The look that follows says it
    onError: () => undefined,
  });
  const looked = new Map<string, Looked>();
  const suspects = new Set<string>();
  let stopped = false;

  async function look(record: ClusterRecord): Promise<void> {
    const before = looked.get(record.name);
    suspects.delete(record.name);
    const health = await (before && before.revision === record.revision && before.health.state === 'ok'
      ? stillThere(clients, record, before.health)
      : checkStored(clients, record));
    // What was cut off by our own stop says nothing of the cluster
    if (stopped) return;
    looked.set(record.name, { revision: record.revision, at: now(), health });
    if (!isNews(record, health) || !(await setClusterHealth(db, record, health))) return;
    if (health.state === record.health) return;
    const { state, message } = health;
    const fields = { cluster: record.name, state, was: record.health, ...(message && { reason: message }) };
    if (state === 'ok') log.info(fields, 'the cluster is well');
    else log.warn(fields, 'the cluster is not well');
  }

  async function pass(): Promise<number> {
    const clusters = await listClusters(db);
    const names = new Set(clusters.map((cluster) => cluster.name));
    for (const known of looked.keys()) if (!names.has(known)) looked.delete(known);
    const lookAfter = (cluster: ClusterRecord) => look(cluster).catch((error: unknown) => onError(error, name));
    const dueIn = (cluster: ClusterRecord) =>
      nextLook(cluster, looked.get(cluster.name), suspects.has(cluster.name)) - now();
    await Promise.all(clusters.filter((cluster) => dueIn(cluster) <= 0).map(lookAfter));
    // A look that failed has left no trace: it is due again, but not at once
    return Math.max(1_000, Math.min(MOST_MS, ...clusters.map(dueIn)));
  }

  const loop = startLoop({ name, mostMs: MOST_MS, onError, pass });
  const offs = [listener.on(CLUSTER_CHANGED, loop.wake), listener.onResync(loop.wake)];
  return {
    suspect(cluster) {
      suspects.add(cluster);
      loop.wake();
    },
    async stop() {
      stopped = true;
      for (const off of offs) off();
      clients.stop();
      await loop.stop();
    },
  };
}

/** A sign of life; what we may do there is not asked again. */
async function stillThere(
  clients: ClusterClients,
  { name }: ClusterRecord,
  before: ClusterHealth,
): Promise<ClusterHealth> {
  try {
    const version = await (await clients.get(name))?.version();
    return { ...before, version: version ?? before.version };
  } catch (error) {
    return healthOfError(error);
  }
}

function isNews(record: ClusterRecord, { state, message, version, missingPermissions }: ClusterHealth): boolean {
  const same =
    record.health === state &&
    record.health_message === message &&
    (version === null || record.version === version) &&
    record.missing_permissions.join('\n') === missingPermissions.join('\n');
  return !same || record.checked_at === null || Date.now() - record.checked_at.getTime() > WRITE_MS;
}

/**
 * The launcher: in each scheduler, one for every cluster. Any number run side by side; a launch belongs to the one that claimed it, and to
 * another when that one is gone.
 */
import { hostname } from 'node:os';
import { CLUSTER_CHANGED, listClusters, openCluster } from '#db/queries/clusters.ts';
import { findStaleLaunches, installationId } from '#db/queries/launches.ts';
import { beatWorker, setWorkerState } from '#db/queries/worker.ts';
import { clusterOfQueue } from '#sdk/system-tasks.ts';
import { createClusterClient } from '../kubernetes/cluster-client.ts';
import { startLoop } from '../../scheduler/loop.ts';
import { startClusterLauncher, type ClusterLauncher } from './cluster-launcher.ts';
import { NO_METRICS } from './launch-metrics.ts';
import { endRemoved } from './end-removed.ts';
import type { LauncherDeps } from './launcher-deps.ts';

/** Beats in the time after which it is taken for gone. */
const BEATS = 3;
const SILENT_SECONDS = 30;
const LOOK_MS = 10_000;
const REVIEW_MS = 15_000;

export interface Launcher {
  stop(): Promise<void>;
}

export async function startLauncher(deps: LauncherDeps): Promise<Launcher> {
  const { db, pool, engine, listener, vault, log, name, version, onError } = deps;
  const { silentSeconds = SILENT_SECONDS } = deps;
  const beatMs = (silentSeconds * 1000) / BEATS;
  const installation = await installationId(db);
  const register = () =>
    engine.registerWorker({ name, queues: [], slots: 0, version, hostname: hostname(), pid: process.pid });
  let workerId = await register();
  const running = new Map<string, { revision: number; launcher: ClusterLauncher }>();

  const open = async (cluster: string): Promise<void> => {
    const opened = await openCluster(db, vault, cluster);
    if (!opened) return;
    const { record, credentials } = opened;
    const { qps, burst, parallel_creates: parallelCreates } = record;
    const limits = { qps, burst, parallelCreates };
    const metrics = deps.metricsOf?.(cluster) ?? NO_METRICS;
    const client = createClusterClient({
      ...{ name: cluster, credentials, limits, userAgent: `millrace/${version}` },
      onRequest(verb, resource, status, seconds) {
        metrics.requested(verb, resource, status, seconds);
        if (status === 0 || status === 401 || status >= 500) deps.suspect?.(cluster);
      },
    });
    const launcher = startClusterLauncher({ ...deps, silentSeconds, record, client, metrics, workerId, installation });
    running.set(cluster, { revision: record.revision, launcher });
  };
  const close = async (cluster: string): Promise<void> => {
    const { launcher } = running.get(cluster) ?? {};
    running.delete(cluster);
    await launcher?.stop();
  };
  const review = async (): Promise<number> => {
    const records = new Map((await listClusters(db)).map((record) => [record.name, record]));
    for (const [cluster, { revision }] of [...running])
      if (records.get(cluster)?.revision !== revision) await close(cluster);
    for (const cluster of records.keys())
      if (!running.has(cluster))
        await open(cluster).catch((error: unknown) => onError(error, `open cluster ${cluster}`));
    const removed = await endRemoved(pool, engine);
    if (removed > 0) log.warn({ launches: removed }, 'tasks ended whose cluster was removed');
    return REVIEW_MS;
  };
  const clusters = startLoop({ name: 'open clusters', mostMs: REVIEW_MS, onError, pass: review });

  const fenceStale = async (): Promise<number> => {
    const stale = await findStaleLaunches(pool, workerId);
    if (stale.length > 0) for (const { launcher } of running.values()) launcher.fence(stale);
    return LOOK_MS;
  };
  const stale = startLoop({ name: 'stop what nobody wants', mostMs: LOOK_MS, onError, pass: fenceStale });

  /** Taken for dead and replaced: what it had belongs to others now, and it begins anew. */
  const beginAnew = async () => {
    log.warn({ name }, 'the launcher was taken for gone and begins anew');
    for (const cluster of [...running.keys()]) await close(cluster);
    workerId = await register();
    clusters.wake();
  };
  const beat = async (): Promise<number> => {
    if (!(await beatWorker(db, workerId))) await beginAnew();
    return beatMs;
  };
  const beats = startLoop({ name: 'beat as a launcher', mostMs: beatMs, onError, pass: beat });

  const wakeAll = () => {
    clusters.wake();
    stale.wake();
    for (const { launcher } of running.values()) launcher.wake();
  };
  const off = [
    listener.on('millrace_ready', (queue) => running.get(clusterOfQueue(queue) ?? '')?.launcher.wake()),
    listener.on('millrace_fenced', (id) => id === String(workerId) && stale.wake()),
    listener.on(CLUSTER_CHANGED, clusters.wake),
    listener.onResync(wakeAll),
  ];

  return {
    async stop() {
      for (const each of off) each();
      await Promise.all([clusters.stop(), stale.stop(), beats.stop()]);
      await Promise.all([...running.keys()].map(close));
      await setWorkerState(db, workerId, 'offline').catch((error: unknown) => onError(error, 'retire the launcher'));
    },
  };
}

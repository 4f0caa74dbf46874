/** Deletes Pods of this service that no launch stands for. */
import { findLaunched } from '#db/queries/launches.ts';
import type { KubePod } from '../kubernetes/kube-types.ts';
import { ANNOTATIONS } from '../kubernetes/labels.ts';
import { startLoop, type Loop } from '../../scheduler/loop.ts';
import type { ClusterLauncherDeps } from './cluster-launcher.ts';

const SWEEP_MS = 30_000;

export interface OrphanDeps extends ClusterLauncherDeps {
  /** Pods by dispatch. */
  pods: ReadonlyMap<string, KubePod>;
  /** Those that nobody here looks after, and since when; those that may stay are taken out. */
  strange: Map<string, number>;
}

/** Of dispatches that were given up while nobody could reach the cluster, or of a database that was put back. */
export function startOrphanSweep({ record, client, metrics, db, log, onError, pods, strange }: OrphanDeps): Loop {
  const cluster = record.name;
  const pass = async (): Promise<number> => {
    const before = Date.now() - SWEEP_MS;
    const old = [...strange].flatMap(([uuid, since]) => (since < before ? [uuid] : []));
    const launched = await findLaunched(db, old);
    let deleted = 0;
    for (const uuid of old) {
      const pod = pods.get(uuid);
      if (launched.has(uuid)) continue;
      strange.delete(uuid);
      if (!pod || !isToGo(pod)) continue;
      const { namespace = '', name = '', uid } = pod.metadata ?? {};
      log.warn({ cluster, namespace, name }, 'a Pod that belongs to nothing is deleted');
      await client.deletePod(namespace, name, { uid: uid ?? null });
      deleted += 1;
    }
    metrics.reconciled(deleted);
    return SWEEP_MS;
  };
  return startLoop({ name: `sweep cluster ${cluster}`, mostMs: SWEEP_MS, onError, pass });
}

/** One that has ended and was to be kept stays; one that still runs works for nobody. */
export function isToGo({ status, metadata }: KubePod): boolean {
  const onFinish = metadata?.annotations?.[ANNOTATIONS.onFinish];
  if (status?.phase === 'Succeeded') return onFinish !== 'keep';
  if (status?.phase === 'Failed') return onFinish !== 'keep' && onFinish !== 'keep_failed';
  return true;
}

/** What a cluster says of this service's objects: to whoever looks after them, and those that nobody looks after go. */
import type { Launch } from '#db/queries/launches.ts';
import type { KubePod } from '../kubernetes/kube-types.ts';
import { LABELS } from '../kubernetes/labels.ts';
import { startObjectWatch, type ObjectWatch, type WatchCounters } from '../kubernetes/object-watch.ts';
import type { ClusterLauncherDeps } from './cluster-launcher.ts';
import type { Entry } from './launch-context.ts';
import type { Line } from './line.ts';
import { startOrphanSweep } from './sweep-orphans.ts';

export interface ObjectsDeps extends ClusterLauncherDeps {
  entries: ReadonlyMap<string, Entry>;
  line: Line;
}

export interface Objects {
  /** The Pod of a launch, once all that is there is known. Null: there is none. */
  find(launch: Launch, signal: AbortSignal): Promise<KubePod | null>;
  /** Objects of another kind are to be known as Pods are. */
  follow(apiVersion: string, kind: string, namespace: string): void;
  /** What became of each watch so far. */
  watches(): Readonly<WatchCounters>[];
  stop(): Promise<void>;
}

const dispatchOf = (pod: KubePod): string => pod.metadata?.labels?.[LABELS.dispatch] ?? '';
/** Items of a list of Pods have no kind. */
const isPod = ({ kind = 'Pod' }: KubePod): boolean => kind === 'Pod';
const isOver = (pod: KubePod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export function startWatches(deps: ObjectsDeps): Objects {
  const { record, client, installation, entries, line, log } = deps;
  const cluster = record.name;
  const pods = new Map<string, KubePod>();
  /** Pods that nobody here looks after, and since when. */
  const strange = new Map<string, number>();
  const watches = new Map<string, ObjectWatch>();

  const saw = (pod: KubePod) => {
    const uuid = dispatchOf(pod);
    const before = pods.get(uuid);
    pods.set(uuid, pod);
    const entry = entries.get(uuid);
    if (entry) {
      strange.delete(uuid);
      entry.object.set({ is: pod });
    } else if (isPod(pod) && !strange.has(uuid)) strange.set(uuid, Date.now());
    // Its quota is free when it has ended, not only when it is gone
    if (isOver(pod) && !(before && isOver(before))) line.freed(pod.metadata?.namespace ?? '');
  };
  const went = (pod: KubePod) => {
    const uuid = dispatchOf(pod);
    pods.delete(uuid);
    strange.delete(uuid);
    const entry = entries.get(uuid);
    if (entry && (entry.launch.uid === null || entry.launch.uid === pod.metadata?.uid)) {
      entry.gone = true;
      entry.object.set({ is: pod });
    }
    if (!isOver(pod)) line.freed(pod.metadata?.namespace ?? '');
  };

  const watchOf = (apiVersion: string, kind: string, namespace: string): ObjectWatch => {
    const key = `${apiVersion} ${kind} ${namespace}`;
    const known = watches.get(key);
    if (known) return known;
    const watch = startObjectWatch<KubePod>({
      client,
      source: { apiVersion, kind, namespace, labelSelector: `${LABELS.installation}=${installation}` },
      onObject: saw,
      onGone: went,
      onError: (error, context) => log.warn({ error, cluster, namespace, kind, context }, 'a watch was interrupted'),
    });
    watches.set(key, watch);
    return watch;
  };
  const watchPods = (namespace: string) => watchOf('v1', 'Pod', namespace);
  for (const namespace of record.namespaces) watchPods(namespace);

  const sweep = startOrphanSweep({ ...deps, strange, pods });

  return {
    async find({ namespace, uuid }, signal) {
      if (namespace === null) return null;
      await orAborted(watchPods(namespace).synced, signal);
      return pods.get(uuid) ?? null;
    },
    follow: (apiVersion, kind, namespace) => void watchOf(apiVersion, kind, namespace),
    watches: () => [...watches.values()].map(({ counters }) => counters),
    async stop() {
      await Promise.all([sweep.stop(), ...[...watches.values()].map((watch) => watch.stop())]);
    },
  };
}

/** A cluster that does not answer must not keep anybody from stopping. */
const orAborted = (done: Promise<void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    void done.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });

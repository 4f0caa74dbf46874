/** Has the tasks of one cluster run there: claims them, takes over what other launchers have left, and looks after each to its end. */
import { setMaxListeners } from 'node:events';
import { clusterQueue } from '#sdk/system-tasks.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { adoptLaunches, dropLaunches, placeLaunches, saveLaunches, type Launch } from '#db/queries/launches.ts';
import type { ClusterRecord } from '#db/queries/clusters.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import { startLoop } from '../../scheduler/loop.ts';
import { changing } from './changing.ts';
import { createLaunchRecorder } from './launch-recorder.ts';
import { FENCED, STOPPED, type Entry, type LaunchContext } from './launch-context.ts';
import { createSaver } from './launch-writer.ts';
import type { LaunchMetrics } from './launch-metrics.ts';
import type { LauncherDeps } from './launcher-deps.ts';
import { createLine } from './line.ts';
import { lookAfter } from './look-after.ts';
import { startWatches } from './watch-objects.ts';
import { POD_API } from './pod-target.ts';
import { createTeller } from './tell-launches.ts';
import { createTargets } from './targets.ts';
import { createLaunchShipper } from './launch-shipper.ts';

const MOST_CLAIMED = 500;
const MOST_ADOPTED = 2_000;
const LOOK_MS = 5_000;

export interface ClusterLauncher {
  /** There may be tasks to claim. */
  wake(): void;
  /** Nobody wants these any more. */
  fence(uuids: readonly string[]): void;
  stop(): Promise<void>;
}

export interface ClusterLauncherDeps extends LauncherDeps {
  record: ClusterRecord;
  client: ClusterClient;
  metrics: LaunchMetrics;
  workerId: number;
  installation: string;
  silentSeconds: number;
}

export function startClusterLauncher(deps: ClusterLauncherDeps): ClusterLauncher {
  const { record, client, metrics, workerId, db, pool, engine, log, silentSeconds, onError } = deps;
  const cluster = record.name;
  const entries = new Map<string, Entry>();
  const lives = new Set<Promise<void>>();
  const stopping = new AbortController();
  // Every launch listens
  setMaxListeners(0, stopping.signal);
  const failed = (what: string) => (error: unknown) => onError(error, `${what} of cluster ${cluster}`);

  const teller = createTeller({
    tell: (keys) => engine.tell(keys),
    now: Date.now,
    onError: failed('tell of launches'),
  });
  const saver = createSaver<Entry>({
    async write(items) {
      const launches = items.map(({ launch }) => launch);
      await saveLaunches(pool, workerId, launches);
      for (const launch of launches) if (entries.has(launch.uuid)) teller.stored(launch);
    },
    onError: failed('save launches'),
  });
  const dropper = createSaver<string>({
    write: (uuids) => dropLaunches(pool, workerId, uuids),
    onError: failed('drop launches'),
  });
  const recorder = createLaunchRecorder(pool, failed('record launches'));
  const line = createLine({
    place: (launches) =>
      placeLaunches(
        pool,
        { cluster, workerId, maxPods: record.max_pods, maxPodsPerNamespace: record.max_pods_per_namespace },
        launches,
      ),
    holds({ launch }, reason, message) {
      if (launch.reason === reason) return;
      Object.assign(launch, { reason, message });
      void saver.save(entries.get(launch.uuid)!);
    },
    now: Date.now,
    onError: failed('place launches'),
  });
  const logs = createLaunchShipper(pool, failed('store logs'));
  const objects = startWatches({ ...deps, entries, line });
  const targets = createTargets({ ...deps, objects });
  const context: LaunchContext = {
    cluster,
    workerId,
    db,
    pool,
    engine,
    log,
    metrics,
    line,
    shipper: logs.shipper,
    isLogHeld: logs.isHeld,
    stopped: stopping.signal,
    targetOf: targets.of,
    remains: targets.remains,
    save: (entry) => saver.save(entry),
    record: (what) => recorder.save(what),
    async drop(entry) {
      await dropper.save(entry.key.uuid);
      // A further try of its task may have waited for that
      line.wake();
    },
    now: () => new Date(),
    clusterNow: () => new Date(Date.now() + client.clockOffset()),
  };

  const unobserve = metrics.observe({
    phases: () => [...entries.values()].map(({ launch }) => launch.phase),
    lineLength: line.length,
    watches: objects.watches,
  });

  const begin = (entry: Entry) => {
    entries.set(entry.key.uuid, entry);
    // A pass that was under way when all others were told
    if (stopping.signal.aborted) entry.leave.abort(STOPPED);
    const life = lookAfter(context, entry)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) failed('look after a launch')(error);
      })
      .finally(() => {
        entries.delete(entry.key.uuid);
        teller.forget(entry.key.uuid);
        lives.delete(life);
        if (!stopping.signal.aborted) claims.wake();
      });
    lives.add(life);
  };

  const claim = async (): Promise<number> => {
    const room = Math.min(MOST_CLAIMED, record.max_pods - entries.size);
    if (record.paused || room <= 0) return LOOK_MS;
    const dispatches = await engine.claim({ workerId, queues: [clusterQueue(cluster)], limit: room, cluster });
    for (const dispatch of dispatches) begin(claimedEntry(dispatch));
    return dispatches.length === room ? 0 : LOOK_MS;
  };
  const claims = startLoop({ name: `claim tasks of cluster ${cluster}`, mostMs: LOOK_MS, onError, pass: claim });

  let ownToo = true;
  const adopt = async (): Promise<number> => {
    const launches = await adoptLaunches(pool, { cluster, workerId, silentSeconds, limit: MOST_ADOPTED, ownToo });
    ownToo = false;
    const strange = launches.filter((launch) => !entries.has(launch.uuid));
    if (strange.length === 0) return LOOK_MS;
    log.info({ cluster, launches: strange.length }, 'launches are taken over');
    metrics.adopted(strange.length);
    for (const launch of strange) begin(await adoptedEntry(launch));
    return launches.length === MOST_ADOPTED ? 0 : LOOK_MS;
  };
  /** What is there must be known first: a Pod that has not been seen yet is not gone. */
  const adoptedEntry = async (launch: Launch): Promise<Entry> => {
    const entry = entryOf(launch, null, true);
    if (launch.namespace && launch.api === POD_API && launch.phase !== 'waiting') {
      const object = await objects.find(launch, stopping.signal);
      if (object) entry.object.set({ is: object });
    }
    return entry;
  };
  const adoptions = startLoop({
    name: `take over launches of cluster ${cluster}`,
    mostMs: LOOK_MS,
    // What it waits for may end with this process
    onError: (error, loop) => error !== STOPPED && onError(error, loop),
    pass: adopt,
  });

  return {
    wake: claims.wake,
    fence(uuids) {
      for (const uuid of uuids) entries.get(uuid)?.leave.abort(FENCED);
    },
    async stop() {
      stopping.abort(STOPPED);
      for (const { leave } of entries.values()) leave.abort(STOPPED);
      // No answer of a cluster is waited for any more
      client.close();
      // Nor for a database that is away: what could not be written, the next launcher finds out by itself
      const written = () => Promise.all([logs.shipper, saver, recorder, dropper].map((writer) => writer.stop()));
      void written();
      await Promise.all([claims.stop(), adoptions.stop()]);
      await Promise.all(lives);
      unobserve();
      teller.stop();
      await Promise.all([line.stop(), objects.stop(), written()]);
    },
  };
}

const entryOf = (launch: Launch, dispatch: Dispatch | null, adopted: boolean): Entry => {
  const { runId, taskIndex, mapIndex, uuid } = launch;
  return {
    key: { runId, taskIndex, mapIndex, uuid },
    launch,
    dispatch,
    object: changing<{ is: unknown } | null>(null),
    gone: false,
    quotaSince: null,
    leave: new AbortController(),
    isStartTold: false,
    adopted,
  };
};

const NEW = {
  phase: 'waiting',
  kind: null,
  api: null,
  onFinish: null,
  namespace: null,
  name: null,
  uid: null,
  node: null,
  reason: null,
  message: null,
  notBefore: null,
  attempts: 0,
  createdAt: null,
  scheduledAt: null,
  startedAt: null,
} as const;

const claimedEntry = (dispatch: Dispatch): Entry => {
  const key = parseDispatchId(dispatch.dispatchId)!;
  return entryOf({ ...NEW, ...key, tryNumber: dispatch.tryNumber, claimedAt: new Date() }, dispatch, false);
};

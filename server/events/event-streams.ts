/** The streams behind the subscriptions, one set per process. */
import { setMaxListeners } from 'node:events';
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { CLUSTER_CHANGED, CLUSTER_HEALTH_CHANGED } from '#db/queries/clusters.ts';
import { GIT_LOOKED, GIT_WANTED } from '#db/queries/git-sources.ts';
import { readEventSeq } from '#db/queries/dag-runs.ts';
import { QUEUE_CHANGED } from '#db/queries/queues.ts';
import { findTaskInstances } from '#db/queries/task-instances.ts';
import { WORKER_CHANGED } from '#db/queries/worker.ts';
import { notFound } from '#schema/errors.ts';
import type { EventStreams, StreamItem } from '#schema/event-streams.ts';
import type { LogReader } from '#schema/log-reader.ts';
import type { Logger } from '../log.ts';
import { createDagNames } from './dag-names.ts';
import { DAG_CHANGES, filterGroup, type Group } from './event-groups.ts';
import { createEventTail } from './event-tail.ts';
import { logEvents, readStart } from './log-events.ts';
import { createJobChanges } from './job-changes.ts';
import { createListChanges } from './list-changes.ts';
import { createLogWakeUps } from './log-wake-ups.ts';
import { createRecentEvents } from './recent-events.ts';
import { runEvents, type EventLimits } from './run-events.ts';
import { createStream } from './stream.ts';
import { taskLog } from './task-log.ts';
import { createWorkSignals } from './work-available.ts';

/** So often workers say what they measure. */
const BEAT_MS = 10_000;
const LIMITS: EventLimits = { queue: 1_000, replay: 5_000 };

export interface EventStreamsDeps {
  db: Db;
  logs: Pick<LogReader, 'read'>;
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
  limits?: EventLimits;
}

export function createEventStreams({
  db,
  logs,
  listener,
  log,
  limits = LIMITS,
}: EventStreamsDeps): EventStreams & { stop(): Promise<void> } {
  const stopped = new AbortController();
  // One for every open stream
  setMaxListeners(0, stopped.signal);
  const dagNames = createDagNames(db);
  const tail = createEventTail({ db, listener, dagNames, log });
  const recent = createRecentEvents();
  const offResync = listener.onResync(recent.clear);
  const wakeUps = createLogWakeUps(listener);
  const work = createWorkSignals(listener);
  const jobs = createJobChanges(listener);
  const clusters = createListChanges(listener, [CLUSTER_CHANGED, CLUSTER_HEALTH_CHANGED]);
  const queues = createListChanges(listener, [QUEUE_CHANGED]);
  const gitSources = createListChanges(listener, [GIT_WANTED, GIT_LOOKED], { withTasks: false });
  const workers = createListChanges(listener, [WORKER_CHANGED], { everyMs: BEAT_MS });

  const openLog = async (group: Group, after: string | null): Promise<AsyncIterableIterator<StreamItem>> => {
    const start = await readStart(db, after);
    const deps = { db, tail, dagNames, limits };
    return createStream(stopped.signal, (signal) => logEvents(deps, { group, start }, signal));
  };

  return {
    async runEvents(runId, after) {
      const seq = await readEventSeq(db, runId);
      if (seq === null) return null;
      const deps = { db, tail, recent, limits };
      return createStream(stopped.signal, (signal) => runEvents(deps, { runId, after: after ?? seq }, signal));
    },
    dagEvents: (after) => openLog(DAG_CHANGES, after),
    events: (filter, after) => openLog(filterGroup(filter), after),
    async taskLog(task, tryNumber, after) {
      const [row] = await findTaskInstances(db, [task]);
      if (!row) throw notFound(`task instance ${task.runId}.${task.taskIndex}.${task.mapIndex}`);
      const deps = { db, logs, tail, recent, wakeUps };
      return createStream(stopped.signal, (signal) => taskLog(deps, { task, tryNumber, after }, signal));
    },
    workAvailable: async (worker) => createStream(stopped.signal, (signal) => work.stream(worker, signal)),
    jobChanges: async (name) => createStream(stopped.signal, (signal) => jobs.stream(name, signal)),
    gitSourceChanges: async () => createStream(stopped.signal, (signal) => gitSources.stream(signal)),
    clusterChanges: async () => createStream(stopped.signal, (signal) => clusters.stream(signal)),
    queueChanges: async () => createStream(stopped.signal, (signal) => queues.stream(signal)),
    workerChanges: async () => createStream(stopped.signal, (signal) => workers.stream(signal)),
    async stop() {
      stopped.abort();
      offResync();
      wakeUps.stop();
      work.stop();
      jobs.stop();
      clusters.stop();
      queues.stop();
      gitSources.stop();
      workers.stop();
      await tail.stop();
    },
  };
}

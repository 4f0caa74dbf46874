/** Figures for Prometheus: the one list of them, and what counts them. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { noCounts, type BrokerCounts } from './brokers/broker-counts.ts';
import type { RedisBroker } from './brokers/redis-broker.ts';
import type { WatchCounters } from './executors/kubernetes/object-watch.ts';
import type { LaunchMetrics, LaunchSource, LaunchStep } from './executors/launcher/launch-metrics.ts';
import type { LogStoreHealth } from '#db/queries/log-stores.ts';
import type { ArchiverMetrics } from './logs/log-archiver.ts';
import type { QueueReader, QueueState } from './queue-reader.ts';

interface Definition {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  buckets?: readonly number[];
}

/** Seconds. */
const ANSWERS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WAITS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const RUNS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

const OF_CLUSTER = ['cluster'] as const;
const wait = (help: string): Definition => ({ type: 'histogram', help, labels: OF_CLUSTER, buckets: WAITS });
const count = (help: string, labels: readonly string[] = OF_CLUSTER): Definition => ({ type: 'counter', help, labels });

const queue = (help: string): Definition => ({ type: 'gauge', help, labels: ['queue'] });

/** Every metric of our own, in the manual's order. Kubernetes tells the times of Pods in whole seconds. */
export const METRICS = {
  millrace_queue_depth: queue('Ready tasks in a queue.'),
  millrace_queue_oldest_seconds: queue('How long the task that stands in it longest has waited; 0 when none does.'),
  millrace_queue_running: queue('Its task instances that run.'),
  millrace_queue_consumers: queue('Workers that are online and serve it.'),
  millrace_queue_slots: queue('Slots of these workers.'),
  millrace_queue_free_slots: queue('Those of them that are free.'),
  millrace_queue_paused: queue('1: its ready tasks are kept back.'),
  millrace_broker_up: { type: 'gauge', help: '1: the broker beside Postgres answers this process.', labels: [] },
  millrace_broker_told_total: count('Ready tasks that it was told of.', []),
  millrace_broker_lost_total: count('Ready tasks that it could not be told of: it lacks them until it is mended.', []),
  millrace_broker_taken_total: count('Ready tasks that it gave to claims; a few of them had gone.', []),
  millrace_broker_fallback_claims_total: count('Claims that asked Postgres, since it did not answer.', []),
  millrace_broker_mended_total: count(
    'Ready tasks that it lacked and was told of again; some were just being claimed.',
    [],
  ),
  millrace_broker_dropped_total: count('Entries dropped from it whose tasks had gone.', []),
  millrace_logs_archived_total: count('Logs that were moved to the log store.', ['store']),
  millrace_logs_archived_bytes_total: count('Bytes of text of these logs.', ['store']),
  millrace_log_archive_seconds: {
    type: 'histogram',
    help: 'How long it took to move one.',
    labels: ['store'],
    buckets: ANSWERS,
  },
  millrace_log_archive_failures_total: count('Logs that could not be moved; each is tried again.', ['store']),
  millrace_logs_deleted_total: count('Logs that were deleted in the log store.', ['store']),
  millrace_logs_waiting: {
    type: 'gauge',
    help: 'Logs that are to go to the log store, also those of running tasks; counted up to 100000.',
    labels: ['store'],
  },
  millrace_log_store_up: { type: 'gauge', help: '0: it takes no logs; they stay in Postgres.', labels: ['store'] },
  millrace_retention_deleted_total: count('What was deleted since it had been kept long enough.', ['what']),
  millrace_launch_create_seconds: wait('From the claim of a task until the cluster has its object: its time in line.'),
  millrace_launch_quota_wait_seconds: wait('Of those that a quota refused: from the first refusal until created.'),
  millrace_launch_schedule_seconds: wait('From the creation of a Pod until a node has it.'),
  millrace_launch_start_seconds: wait('From there until its container runs.'),
  millrace_launch_first_log_seconds: wait('From the creation of a Pod until the first line of its output is here.'),
  millrace_launch_run_seconds: {
    type: 'histogram',
    help: 'From the start of its container to the end.',
    labels: OF_CLUSTER,
    buckets: RUNS,
  },
  millrace_launches: {
    type: 'gauge',
    help: 'Launches that this process looks after.',
    labels: ['cluster', 'phase'],
  },
  millrace_launch_line_length: {
    type: 'gauge',
    help: 'Those of them that wait for their turn to be created.',
    labels: OF_CLUSTER,
  },
  millrace_launch_ends_total: count(
    'Ends that the launcher has reported. Code tasks report their own ends; of them only those that could not.',
    ['cluster', 'outcome', 'cause'],
  ),
  millrace_launch_adoptions_total: count('Launches taken over from a launcher that is gone, or from before a restart.'),
  millrace_launch_reconciliations_total: count('Times that Pods without a launch were looked for.'),
  millrace_launch_orphans_deleted_total: count('Pods that belonged to no launch and were deleted.'),
  millrace_watch_opens_total: count('Watches that were opened.'),
  millrace_watch_restarts_total: count('Watches that ended otherwise than they should, and lists that failed.'),
  millrace_watch_silences_total: count('Restarts because nothing at all was heard.'),
  millrace_watch_relists_total: count('Full lists, the first one of each watch too.'),
  millrace_watch_synthetic_deletes_total: count('Objects that a list no longer had, of whose end no event came.'),
  millrace_watch_failed_objects_total: count('Events that could not be read or dealt with.'),
  millrace_kubernetes_requests_total: count('Requests to clusters. Status 0: no answer.', [
    ...['cluster', 'verb', 'resource', 'status'],
  ]),
  millrace_kubernetes_request_seconds: {
    type: 'histogram',
    help: 'Until they were answered; watches and followed logs: until they began.',
    labels: ['cluster', 'verb', 'resource'],
    buckets: ANSWERS,
  },
} as const satisfies { [name: string]: Definition };

type Name = keyof typeof METRICS;

const STEPS: { [step in LaunchStep]: Name } = {
  create: 'millrace_launch_create_seconds',
  quota: 'millrace_launch_quota_wait_seconds',
  schedule: 'millrace_launch_schedule_seconds',
  start: 'millrace_launch_start_seconds',
  first_log: 'millrace_launch_first_log_seconds',
  run: 'millrace_launch_run_seconds',
};
const OF_WATCHES = {
  watches: 'millrace_watch_opens_total',
  restarts: 'millrace_watch_restarts_total',
  silences: 'millrace_watch_silences_total',
  relists: 'millrace_watch_relists_total',
  syntheticDeletes: 'millrace_watch_synthetic_deletes_total',
  failedObjects: 'millrace_watch_failed_objects_total',
} as const satisfies { [counter in keyof WatchCounters]?: Name };
const OF_QUEUES = {
  millrace_queue_depth: ({ depth }) => depth,
  millrace_queue_oldest_seconds: ({ oldest_seconds: seconds }) => seconds ?? 0,
  millrace_queue_running: ({ running }) => running,
  millrace_queue_consumers: ({ consumers }) => consumers,
  millrace_queue_slots: ({ slots }) => slots,
  millrace_queue_free_slots: ({ free_slots: slots }) => slots,
  millrace_queue_paused: ({ paused }) => (paused ? 1 : 0),
} as const satisfies { [name in Name]?: (state: QueueState) => number };
const OF_BROKER = {
  told: 'millrace_broker_told_total',
  lost: 'millrace_broker_lost_total',
  taken: 'millrace_broker_taken_total',
  fallbacks: 'millrace_broker_fallback_claims_total',
  mended: 'millrace_broker_mended_total',
  dropped: 'millrace_broker_dropped_total',
} as const satisfies { [counter in keyof BrokerCounts]: Name };
type WatchCounter = keyof typeof OF_WATCHES;

export interface Metrics {
  /** In the text format of Prometheus. */
  render(): Promise<string>;
  contentType: string;
  /** What goes on in queues is read when it is asked; when that fails, nothing is told of them. */
  observeQueues(read: QueueReader): void;
  observeBroker(broker: Pick<RedisBroker, 'isUp' | 'counts'>): void;
  /** Read when it is asked, as queues are; undefined: there is none. */
  observeLogStore(read: () => Promise<LogStoreHealth | undefined>): void;
  logs: ArchiverMetrics;
  retained(what: string, deleted: number): void;
  /** Of the launches on a cluster. */
  of(cluster: string): LaunchMetrics;
}

/** With a registry of its own. `ofProcess`: also what Node tells of itself. */
export function createMetrics({ ofProcess = true } = {}): Metrics {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry });
  const { add, observe, set, clear } = createInstruments(registry);
  /** By cluster. */
  const sources = new Set<{ cluster: string; source: LaunchSource }>();
  const told = new WeakMap<Readonly<WatchCounters>, Record<WatchCounter, number>>();

  /** What came since the last time: a watch that is gone takes nothing away. */
  const collectWatches = (cluster: string, source: LaunchSource) => {
    for (const counters of source.watches()) {
      const before = told.get(counters);
      for (const [counter, name] of Object.entries(OF_WATCHES) as [WatchCounter, Name][])
        add(name, { cluster }, counters[counter] - (before?.[counter] ?? 0));
      told.set(counters, { ...counters });
    }
  };
  let readQueues: QueueReader = async () => [];
  const collectQueues = async () => {
    const states = await readQueues().catch((): QueueState[] => []);
    for (const [name, figure] of Object.entries(OF_QUEUES) as [keyof typeof OF_QUEUES, (of: QueueState) => number][]) {
      clear(name);
      for (const state of states) set(name, { queue: state.name }, figure(state));
    }
  };
  let broker: Pick<RedisBroker, 'isUp' | 'counts'> | null = null;
  let toldOfBroker = noCounts();
  const collectBroker = () => {
    if (!broker) return;
    set('millrace_broker_up', {}, broker.isUp() ? 1 : 0);
    for (const [counter, name] of Object.entries(OF_BROKER) as [keyof BrokerCounts, Name][])
      add(name, {}, broker.counts[counter] - toldOfBroker[counter]);
    toldOfBroker = { ...broker.counts };
  };
  let readLogStore = async (): Promise<LogStoreHealth | undefined> => undefined;
  const collectLogStore = async () => {
    const health = await readLogStore().catch(() => undefined);
    clear('millrace_logs_waiting');
    clear('millrace_log_store_up');
    if (!health) return;
    set('millrace_logs_waiting', { store: health.name }, health.waiting);
    set('millrace_log_store_up', { store: health.name }, health.failingSince ? 0 : 1);
  };
  const collect = () => {
    collectBroker();
    clear('millrace_launches');
    clear('millrace_launch_line_length');
    for (const { cluster, source } of sources) {
      collectWatches(cluster, source);
      for (const phase of source.phases()) add('millrace_launches', { cluster, phase }, 1);
      set('millrace_launch_line_length', { cluster }, source.lineLength());
    }
  };

  return {
    contentType: registry.contentType,
    async render() {
      await Promise.all([collectQueues(), collectLogStore()]);
      collect();
      return registry.metrics();
    },
    observeQueues(read) {
      readQueues = read;
    },
    observeBroker(observed) {
      broker = observed;
    },
    observeLogStore(read) {
      readLogStore = read;
    },
    logs: {
      archived(store, bytes, seconds) {
        add('millrace_logs_archived_total', { store }, 1);
        add('millrace_logs_archived_bytes_total', { store }, bytes);
        observe('millrace_log_archive_seconds', { store }, seconds);
      },
      failed: (store) => add('millrace_log_archive_failures_total', { store }, 1),
      deleted: (store, logs) => add('millrace_logs_deleted_total', { store }, logs),
    },
    retained: (what, deleted) => add('millrace_retention_deleted_total', { what }, deleted),
    of: (cluster) => ({
      took(step, from, to) {
        if (from && to) observe(STEPS[step], { cluster }, Math.max(0, to.getTime() - from.getTime()) / 1000);
      },
      reported: ({ outcome, cause }) => add('millrace_launch_ends_total', { cluster, outcome, cause }, 1),
      adopted: (launches) => add('millrace_launch_adoptions_total', { cluster }, launches),
      reconciled(orphans) {
        add('millrace_launch_reconciliations_total', { cluster }, 1);
        add('millrace_launch_orphans_deleted_total', { cluster }, orphans);
      },
      requested(verb, resource, status, seconds) {
        add('millrace_kubernetes_requests_total', { cluster, verb, resource, status }, 1);
        observe('millrace_kubernetes_request_seconds', { cluster, verb, resource }, seconds);
      },
      observe(source) {
        const entry = { cluster, source };
        sources.add(entry);
        return () => {
          collectWatches(cluster, source);
          sources.delete(entry);
        };
      },
    }),
  };
}

type Labels = { [label: string]: string | number };

function createInstruments(registry: Registry) {
  const registers = [registry];
  const instruments = new Map<Name, Counter | Gauge | Histogram>();
  for (const [name, { type, help, labels, buckets }] of Object.entries<Definition>(METRICS)) {
    const common = { name, help, labelNames: [...labels], registers };
    const instrument =
      type === 'counter'
        ? new Counter(common)
        : type === 'gauge'
          ? new Gauge(common)
          : new Histogram({ ...common, ...(buckets && { buckets: [...buckets] }) });
    instruments.set(name as Name, instrument);
  }
  return {
    add: (name: Name, labels: Labels, by: number) => (instruments.get(name) as Counter | Gauge).inc(labels, by),
    observe: (name: Name, labels: Labels, value: number) => (instruments.get(name) as Histogram).observe(labels, value),
    set: (name: Name, labels: Labels, value: number) => (instruments.get(name) as Gauge).set(labels, value),
    clear: (name: Name) => instruments.get(name)?.reset(),
  };
}

/** What is counted, in the text format of Prometheus. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { LaunchMetrics } from '../executors/launcher/launch-metrics.ts';
import type { ArchiverMetrics } from '../logs/log-archiver.ts';
import type { QueueReader } from '../queue-reader.ts';
import { countBroker, type ObservedBroker } from './count-broker.ts';
import { countLaunches } from './count-launches.ts';
import { countLogs, tellLogStore, type LogStoreReader } from './count-logs.ts';
import { tellQueues } from './count-queues.ts';
import { createInstruments } from './instruments.ts';

export interface Metrics {
  render(): Promise<string>;
  contentType: string;
  /** What goes on in queues is read when it is asked; when that fails, nothing is told of them. */
  observeQueues(read: QueueReader): void;
  observeBroker(broker: ObservedBroker): void;
  /** Read when it is asked, as queues are. */
  observeLogStore(read: LogStoreReader): void;
  logs: ArchiverMetrics;
  retained(what: string, deleted: number): void;
  /** Of the launches on a cluster. */
  of(cluster: string): LaunchMetrics;
}

/** With a registry of its own. `ofProcess`: also what Node tells of itself. */
export function createMetrics({ ofProcess = true } = {}): Metrics {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry });
  const instruments = createInstruments(registry);
  const launches = countLaunches(instruments);
  let readQueues: QueueReader = async () => [];
  let readLogStore: LogStoreReader = async () => undefined;
  let tellBroker = () => {};

  return {
    contentType: registry.contentType,
    async render() {
      await Promise.all([tellQueues(instruments, readQueues), tellLogStore(instruments, readLogStore)]);
      tellBroker();
      launches.tell();
      return registry.metrics();
    },
    observeQueues(read) {
      readQueues = read;
    },
    observeBroker(broker) {
      tellBroker = countBroker(instruments, broker);
    },
    observeLogStore(read) {
      readLogStore = read;
    },
    logs: countLogs(instruments),
    retained: (what, deleted) => instruments.add('millrace_retention_deleted_total', { what }, deleted),
    of: launches.of,
  };
}

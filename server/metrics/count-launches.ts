import type { LaunchMetrics, LaunchSource, LaunchStep } from '../executors/launcher/launch-metrics.ts';
import type { WatchCounters } from '../executors/kubernetes/object-watch.ts';
import type { Instruments } from './instruments.ts';
import type { MetricName } from './metric-list.ts';

const STEPS: { [step in LaunchStep]: MetricName } = {
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
} as const satisfies { [counter in keyof WatchCounters]?: MetricName };
type WatchCounter = keyof typeof OF_WATCHES;

export interface LaunchCounts {
  /** Of the launches on a cluster. */
  of(cluster: string): LaunchMetrics;
  /** To be called when figures are read. */
  tell(): void;
}

export function countLaunches({ add, observe, set, clear }: Instruments): LaunchCounts {
  const sources = new Set<{ cluster: string; source: LaunchSource }>();
  const told = new WeakMap<Readonly<WatchCounters>, Record<WatchCounter, number>>();

  /** What came since the last time: a watch that is gone takes nothing away. */
  const tellWatches = (cluster: string, source: LaunchSource) => {
    for (const counters of source.watches()) {
      const before = told.get(counters);
      for (const [counter, name] of Object.entries(OF_WATCHES) as [WatchCounter, MetricName][])
        add(name, { cluster }, counters[counter] - (before?.[counter] ?? 0));
      told.set(counters, { ...counters });
    }
  };

  return {
    tell() {
      clear('millrace_launches');
      clear('millrace_launch_line_length');
      for (const { cluster, source } of sources) {
        tellWatches(cluster, source);
        for (const phase of source.phases()) add('millrace_launches', { cluster, phase }, 1);
        set('millrace_launch_line_length', { cluster }, source.lineLength());
      }
    },
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
          tellWatches(cluster, source);
          sources.delete(entry);
        };
      },
    }),
  };
}

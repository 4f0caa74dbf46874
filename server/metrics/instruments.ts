import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { METRICS, type Definition, type MetricName } from './metric-list.ts';

export type Instruments = ReturnType<typeof createInstruments>;

type Labels = { [label: string]: string | number };

export function createInstruments(registry: Registry) {
  const registers = [registry];
  const instruments = new Map<MetricName, Counter | Gauge | Histogram>();
  for (const [name, { type, help, labels, buckets }] of Object.entries<Definition>(METRICS)) {
    const common = { name, help, labelNames: [...labels], registers };
    const instrument =
      type === 'counter'
        ? new Counter(common)
        : type === 'gauge'
          ? new Gauge(common)
          : new Histogram({ ...common, ...(buckets && { buckets: [...buckets] }) });
    instruments.set(name as MetricName, instrument);
  }
  return {
    add: (name: MetricName, labels: Labels, by: number) => (instruments.get(name) as Counter | Gauge).inc(labels, by),
    observe: (name: MetricName, labels: Labels, value: number) =>
      (instruments.get(name) as Histogram).observe(labels, value),
    set: (name: MetricName, labels: Labels, value: number) => (instruments.get(name) as Gauge).set(labels, value),
    clear: (name: MetricName) => instruments.get(name)?.reset(),
  };
}

import { noCounts, type BrokerCounts } from '../brokers/broker-counts.ts';
import type { RedisBroker } from '../brokers/redis-broker.ts';
import type { Instruments } from './instruments.ts';
import type { MetricName } from './metric-list.ts';

export type ObservedBroker = Pick<RedisBroker, 'isUp' | 'counts'>;

const OF_BROKER = {
  told: 'millrace_broker_told_total',
  lost: 'millrace_broker_lost_total',
  taken: 'millrace_broker_taken_total',
  fallbacks: 'millrace_broker_fallback_claims_total',
  mended: 'millrace_broker_mended_total',
  dropped: 'millrace_broker_dropped_total',
} as const satisfies { [counter in keyof BrokerCounts]: MetricName };

/** To be called when figures are read: tells what came since the last time. */
export function countBroker({ add, set }: Instruments, broker: ObservedBroker): () => void {
  let told = noCounts();
  return () => {
    set('millrace_broker_up', {}, broker.isUp() ? 1 : 0);
    for (const [counter, name] of Object.entries(OF_BROKER) as [keyof BrokerCounts, MetricName][])
      add(name, {}, broker.counts[counter] - told[counter]);
    told = { ...broker.counts };
  };
}

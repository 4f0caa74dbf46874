import type { QueueReader, QueueState } from '../queue-reader.ts';
import type { Instruments } from './instruments.ts';
import type { MetricName } from './metric-list.ts';

const OF_QUEUES = {
  millrace_queue_depth: ({ depth }) => depth,
  millrace_queue_oldest_seconds: ({ oldest_seconds: seconds }) => seconds ?? 0,
  millrace_queue_running: ({ running }) => running,
  millrace_queue_consumers: ({ consumers }) => consumers,
  millrace_queue_slots: ({ slots }) => slots,
  millrace_queue_free_slots: ({ free_slots: slots }) => slots,
  millrace_queue_paused: ({ paused }) => (paused ? 1 : 0),
} as const satisfies { [name in MetricName]?: (state: QueueState) => number };

/** Resolves once the gauges tell what is now; when it cannot be read, nothing is told of queues. */
export async function tellQueues({ set, clear }: Instruments, read: QueueReader): Promise<void> {
  const states = await read().catch((): QueueState[] => []);
  for (const [name, figure] of Object.entries(OF_QUEUES) as [keyof typeof OF_QUEUES, (of: QueueState) => number][]) {
    clear(name);
    for (const state of states) set(name, { queue: state.name }, figure(state));
  }
}

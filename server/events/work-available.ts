/** Wakes workers. Signals that a worker has not read yet become one. */
import type { Listener } from '#db/listen.ts';
import { WORKER_CHANGED } from '#db/queries/worker.ts';
import type { WorkSignal } from '#schema/event-streams.ts';
import { createWakeUp } from './wake-up.ts';

interface Waiting {
  id: number;
  queues: readonly string[];
  ready: Set<string>;
  isFenced: boolean;
  raise(): void;
}

const NEVER_MS = 2 ** 31 - 1;

export interface WorkSignals {
  stream(worker: { id: number; queues: readonly string[] }, signal: AbortSignal): AsyncGenerator<WorkSignal, void>;
  stop(): void;
}

export function createWorkSignals(listener: Pick<Listener, 'on' | 'onResync'>): WorkSignals {
  const workers = new Set<Waiting>();
  const wake = (which: (worker: Waiting) => boolean, change: (worker: Waiting) => void) => {
    for (const worker of workers)
      if (which(worker)) {
        change(worker);
        worker.raise();
      }
  };
  const offs = [
    listener.on('millrace_ready', (queue) =>
      wake(
        (worker) => worker.queues.includes(queue),
        (worker) => worker.ready.add(queue),
      ),
    ),
    ...['millrace_fenced', WORKER_CHANGED].map((channel) =>
      listener.on(channel, (id) =>
        wake(
          (worker) => String(worker.id) === id,
          (worker) => (worker.isFenced = true),
        ),
      ),
    ),
    listener.onResync(() =>
      wake(
        () => true,
        (worker) => {
          worker.queues.forEach((queue) => worker.ready.add(queue));
          worker.isFenced = true;
        },
      ),
    ),
  ];

  return {
    async *stream({ id, queues }, signal) {
      const wakeUp = createWakeUp(signal);
      const worker: Waiting = { id, queues, ready: new Set(queues), isFenced: false, raise: wakeUp.raise };
      workers.add(worker);
      try {
        while (!signal.aborted) {
          const { ready, isFenced } = worker;
          worker.ready = new Set();
          worker.isFenced = false;
          if (ready.size > 0) yield { queues: [...ready], fenced: false };
          if (isFenced) yield { queues: [], fenced: true };
          if (worker.ready.size === 0 && !worker.isFenced) await wakeUp.wait(NEVER_MS);
        }
      } finally {
        workers.delete(worker);
      }
    },
    stop() {
      for (const off of offs) off();
    },
  };
}

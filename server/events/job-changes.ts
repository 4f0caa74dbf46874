/** Tells those who watch a backfill or a bulk job that it has moved on. Changes that they have not read yet become one. */
import type { Listener } from '#db/listen.ts';
import { createWakeUp } from './wake-up.ts';

const NEVER_MS = 2 ** 31 - 1;

export interface JobChanges {
  /** `name` as in the notification, such as `backfill 7`. One at once: what it stands at now. */
  stream(name: string, signal: AbortSignal): AsyncGenerator<{ at: Date }, void>;
  stop(): void;
}

export function createJobChanges(listener: Pick<Listener, 'on' | 'onResync'>): JobChanges {
  const watchers = new Set<{ name: string; raise(): void }>();
  const wake = (name: string | null) => {
    for (const watcher of watchers) if (name === null || watcher.name === name) watcher.raise();
  };
  const offs = [listener.on('millrace_job', wake), listener.onResync(() => wake(null))];
  return {
    async *stream(name, signal) {
      const wakeUp = createWakeUp(signal);
      const watcher = { name, raise: wakeUp.raise };
      watchers.add(watcher);
      try {
        while (!signal.aborted) {
          yield { at: new Date() };
          await wakeUp.wait(NEVER_MS);
        }
      } finally {
        watchers.delete(watcher);
      }
    },
    stop() {
      for (const off of offs) off();
    },
  };
}

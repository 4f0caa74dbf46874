import type { Listener } from '#db/listen.ts';

export interface LogWakeUps {
  /** Calls `fn` when log of the dispatch arrives. */
  add(uuid: string, fn: () => void): () => void;
  stop(): void;
}

export function createLogWakeUps(listener: Pick<Listener, 'on' | 'onResync'>): LogWakeUps {
  const waiting = new Map<string, Set<() => void>>();
  const offs = [
    listener.on('millrace_log', (uuid) => {
      for (const fn of waiting.get(uuid) ?? []) fn();
    }),
    listener.onResync(() => {
      for (const set of waiting.values()) for (const fn of set) fn();
    }),
  ];
  return {
    add(uuid, fn) {
      const set = waiting.get(uuid) ?? new Set();
      waiting.set(uuid, set.add(fn));
      return () => {
        set.delete(fn);
        if (set.size === 0 && waiting.get(uuid) === set) waiting.delete(uuid);
      };
    },
    stop() {
      for (const off of offs) off();
    },
  };
}

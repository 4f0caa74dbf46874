/**
 * Tells those who watch a short list, such as the clusters, that an entry has changed, or (with `withTasks`) that tasks have, which are
 * counted with it.
 * Changes that they have not read yet become one.
 */
import type { Listener } from '#db/listen.ts';
import { createWakeUp } from './wake-up.ts';

const NEVER_MS = 2 ** 31 - 1;
/** Tasks change all the time. */
const TASKS_MS = 2_000;

export interface ListChanges {
  /** One at once: what they stand at now. */
  stream(signal: AbortSignal): AsyncGenerator<{ at: Date }, void>;
  stop(): void;
}

export interface ListChangesOptions {
  withTasks?: boolean;
  /** Also so often, for what nobody is notified of. */
  everyMs?: number;
}

export function createListChanges(
  listener: Pick<Listener, 'on' | 'onResync'>,
  channels: readonly string[],
  { withTasks = true, everyMs = NEVER_MS }: ListChangesOptions = {},
): ListChanges {
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const raise of watchers) raise();
  };
  let timer: NodeJS.Timeout | undefined;
  const wakeSoon = () => {
    if (watchers.size > 0) timer ??= setTimeout(wakeLater, TASKS_MS);
  };
  function wakeLater() {
    timer = undefined;
    wake();
  }
  const offs = [
    ...(withTasks ? [listener.on('millrace_event', wakeSoon)] : []),
    ...channels.map((channel) => listener.on(channel, wake)),
    listener.onResync(wake),
  ];
  return {
    async *stream(signal) {
      const wakeUp = createWakeUp(signal);
      watchers.add(wakeUp.raise);
      try {
        while (!signal.aborted) {
          yield { at: new Date() };
          await wakeUp.wait(everyMs);
        }
      } finally {
        watchers.delete(wakeUp.raise);
      }
    },
    stop() {
      clearTimeout(timer);
      for (const off of offs) off();
    },
  };
}

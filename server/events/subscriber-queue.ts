/** What waits for one subscriber, bounded: one that reads too slowly loses its queue, not the server its memory. */
export const LAGGED = Symbol('lagged');

export interface SubscriberQueue<T> {
  push(item: T): void;
  /** The next item; LAGGED once after items were dropped; null at the end. One caller at a time. */
  pull(): Promise<T | typeof LAGGED | null>;
}

export function createSubscriberQueue<T>(limit: number, signal: AbortSignal): SubscriberQueue<T> {
  let items: T[] = [];
  let isLagged = false;
  let wake: (() => void) | undefined;
  signal.addEventListener('abort', () => wake?.());

  return {
    push(item) {
      // Dropped as a whole: what is missing is read from the table, and from there the rest follows
      if (items.length >= limit) {
        items = [];
        isLagged = true;
      }
      if (!isLagged) items.push(item);
      wake?.();
    },
    async pull() {
      while (!signal.aborted) {
        if (isLagged) {
          isLagged = false;
          return LAGGED;
        }
        const item = items.shift();
        if (item !== undefined) return item;
        await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
      }
      return null;
    },
  };
}

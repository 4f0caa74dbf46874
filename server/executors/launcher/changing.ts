/** A value that others wait for. */
export interface Changing<T> {
  value: T;
  set(value: T): void;
  /** Resolves at the next `set`, or after so long. Rejects with the signal's reason. */
  changed(options: { signal: AbortSignal; timeoutMs?: number }): Promise<void>;
}

export function changing<T>(first: T): Changing<T> {
  const waiting = new Set<() => void>();
  return {
    value: first,
    set(value) {
      this.value = value;
      for (const wake of [...waiting]) wake();
    },
    changed: ({ signal, timeoutMs }) =>
      new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          waiting.delete(wake);
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          settle();
        };
        const wake = () => end(resolve);
        const abort = () => end(() => reject(signal.reason as Error));
        const timer = timeoutMs === undefined ? undefined : setTimeout(wake, Math.min(timeoutMs, 2 ** 31 - 1));
        if (signal.aborted) return abort();
        waiting.add(wake);
        signal.addEventListener('abort', abort);
      }),
  };
}

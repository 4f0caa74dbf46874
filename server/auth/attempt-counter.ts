/** How often something was tried of late, by whatever key, within this process. */
const MOST_KEYS = 10_000;

export interface AttemptCounter {
  /** Counts an attempt: how many there are in the window, with this one. */
  count(key: string): number;
  /** Without counting one. */
  of(key: string): number;
  forget(key: string): void;
}

/** A window begins with its first attempt. */
export function createAttemptCounter(windowMs: number, now: () => number = Date.now): AttemptCounter {
  const attempts = new Map<string, { count: number; until: number }>();
  const current = (key: string) => {
    const known = attempts.get(key);
    return known && known.until > now() ? known : undefined;
  };

  return {
    count(key) {
      const entry = current(key) ?? { count: 0, until: now() + windowMs };
      entry.count++;
      attempts.delete(key);
      attempts.set(key, entry);
      for (const oldest of attempts.keys()) if (attempts.size <= MOST_KEYS || !attempts.delete(oldest)) break;
      return entry.count;
    },
    of: (key) => current(key)?.count ?? 0,
    forget: (key) => void attempts.delete(key),
  };
}

/**
 * How many creations a namespace is asked for while its quota is used up. A refusal closes it for a while, longer each time; then one
 * attempt at a time is let through; when several in a row have succeeded, twice as many with each further one. A Pod that ends opens it at
 * once, for one.
 */
export interface NamespaceGate {
  /** Of so many that wait, as many may be tried now. */
  take(wanted: number, now: number): number;
  refused(now: number): void;
  succeeded(): void;
  /** What was let through was not tried, or said nothing about room. */
  skipped(): void;
  /** Something there has ended: there may be room. */
  freed(): void;
  /** Milliseconds until the next attempt; null: it is open, or attempts are under way. */
  opensIn(now: number): number | null;
}

export const FIRST_PAUSE_MS = 5_000;
export const LONGEST_PAUSE_MS = 120_000;
const IN_A_ROW = 3;

export function createNamespaceGate(): NamespaceGate {
  let closedUntil = 0;
  let refusals = 0;
  let successes = 0;
  /** Attempts that may be under way at once; Infinity: nothing has been refused. */
  let window = Infinity;
  let underWay = 0;

  return {
    take(wanted, now) {
      if (now < closedUntil) return 0;
      const granted = Math.max(0, Math.min(wanted, window - underWay));
      underWay += granted;
      return granted;
    },
    refused(now) {
      underWay = Math.max(0, underWay - 1);
      // Those that were asked for together are one refusal
      if (now >= closedUntil) {
        closedUntil = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** refusals);
        refusals += 1;
      }
      window = 1;
      successes = 0;
    },
    succeeded() {
      underWay = Math.max(0, underWay - 1);
      refusals = 0;
      successes += 1;
      // What a Pod that ended has left is taken by one; more is there only when it goes on
      if (successes >= IN_A_ROW) window = window > 512 ? Infinity : window * 2;
    },
    skipped() {
      underWay = Math.max(0, underWay - 1);
    },
    freed() {
      closedUntil = 0;
      refusals = 0;
      window = Math.max(window, underWay + 1);
    },
    opensIn: (now) => (now < closedUntil ? closedUntil - now : null),
  };
}

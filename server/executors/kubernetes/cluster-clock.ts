/** How far the clock of a cluster is ahead of this one, by what its API says with each answer. */

/** `Date` has whole seconds, and an answer is on its way for a while: less than this is no difference. */
const LEAST_MS = 2_000;
const HALF_SECOND_MS = 500;

export interface ClusterClock {
  /** With an answer that has just come. */
  heard(dateHeader: string | undefined): void;
  /** Milliseconds, as last heard; negative: it is behind; 0 before the first answer. */
  offsetMs(): number;
}

export function createClusterClock(now: () => number = Date.now): ClusterClock {
  let offset = 0;
  return {
    heard(dateHeader) {
      const read = Date.parse(dateHeader ?? '') + HALF_SECOND_MS - now();
      if (!Number.isNaN(read)) offset = Math.abs(read) < LEAST_MS ? 0 : read;
    },
    offsetMs: () => offset,
  };
}

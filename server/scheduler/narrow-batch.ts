/** What to do about a batch of events that could not be handled: again, fewer at once, or give the one event up. Pure. */

/** Before a batch is cut, and before a single event is given up. */
const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 200;

export interface FailedBatch {
  /** Events in the batch that failed. */
  size: number;
  /** What it was limited to; null: not narrowed down yet. */
  most: number | null;
  /** Failures in a row at this place, before this one. */
  failures: number;
}

export type AfterFailure = { kind: 'again'; most: number | null; failures: number; pauseMs: number } | { kind: 'skip' };

/**
 * A trouble that passes is over after a pause. One that stays lies in an event: halves find it with few attempts, and alone it gets
 * as many as the batch had.
 */
export function afterFailure({ size, most, failures }: FailedBatch): AfterFailure {
  const count = failures + 1;
  const isSearching = most !== null && size > 1;
  if (!isSearching && count < ATTEMPTS)
    return { kind: 'again', most, failures: count, pauseMs: FIRST_PAUSE_MS * 2 ** (count - 1) };
  if (size <= 1) return { kind: 'skip' };
  return { kind: 'again', most: Math.ceil(size / 2), failures: 0, pauseMs: 0 };
}

/** How many to take after a success with `most`; null: no limit of this kind any more. */
export const afterSuccess = (most: number | null, batch: number): number | null =>
  most === null || most * 2 >= batch ? null : most * 2;

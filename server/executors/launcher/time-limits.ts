/** Pure: until when a launch may stay as it is. */
import type { TaskReport } from '#sdk/protocol.ts';
import type { Seen, TargetLimits } from './target.ts';

export interface TimeLimit {
  at: Date;
  cause: TaskReport['cause'];
  message: string;
  /** False: another try would end the same way. */
  retryable?: boolean;
}

const after = (since: Date | null, seconds: number | null): Date | null =>
  since === null || seconds === null ? null : new Date(since.getTime() + seconds * 1000);

/** Null: for ever. */
export function timeLimit(limits: TargetLimits, seen: Seen | null): TimeLimit | null {
  if (!seen || seen.phase === 'ended') return null;
  const why = seen.message === null ? '' : ` ${seen.message}`;
  if (seen.phase === 'pending') {
    const at = after(seen.createdAt, limits.schedule);
    const message = `No node has taken it within ${limits.schedule} s.${why}`;
    return at && { at, cause: 'start_timeout', message };
  }
  if (seen.phase === 'scheduled') {
    const at = after(seen.scheduledAt ?? seen.createdAt, limits.start);
    return at && { at, cause: 'start_timeout', message: `It has not started within ${limits.start} s.${why}` };
  }
  const at = after(seen.startedAt, limits.run);
  return at && { at, cause: 'timeout', message: `It ran for longer than ${limits.run} s and was stopped.` };
}

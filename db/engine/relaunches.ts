/** Free relaunches have an end: a task that goes back to the line again and again must stop where a person sees it. Pure. */
import type { TaskReport } from '#sdk/protocol.ts';

/**
 * How often one try may be handed back before its code started. A worker that stops hands back what it has not begun, and when all
 * workers are replaced a task may meet several of them: a handful. What never reaches its worker takes 15 s to come back, so twenty
 * are at least five minutes in which nothing that was tried has worked.
 */
export const MOST_RELAUNCHES = 20;

/** Is one more hand-back, after so many of this try, the last? */
export const isExhausted = (relaunches: number): boolean => relaunches + 1 >= MOST_RELAUNCHES;

/** The hand-back as the failure that it is by now. It may be retried, as other losses of the infrastructure. */
export function exhaustedReport({ dispatchId, logBytes, cause, message }: TaskReport): TaskReport {
  const lastReason = message ?? cause;
  return {
    dispatchId,
    outcome: 'failed',
    cause: 'dispatch_exhausted',
    message: `It was handed back ${MOST_RELAUNCHES} times before its code started. The last time: ${lastReason}`,
    evidence: { handedBack: MOST_RELAUNCHES, lastReason },
    logBytes,
  };
}

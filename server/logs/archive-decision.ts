/** Pure: whether a log is sealed. */
import type { DueFacts } from '#db/queries/log-archive.ts';

/** Chunks may be on their way for as long as their worker is cut off; readers give up after 15 seconds, and see what comes later all the same. */
const GRACE_SECONDS = 120;
/** Nobody will ever ask for a dispatch that neither runs nor has ended as a try. */
const FORGET_SECONDS = 3600;
const FIRST_LOOK_SECONDS = 5;
const LAST_LOOK_SECONDS = 60;

export type ArchiveDecision = { kind: 'archive' } | { kind: 'wait'; seconds: number } | { kind: 'forget' };

/** `age`: seconds since the log came in line. */
export function decideArchive(facts: DueFacts, age: number): ArchiveDecision {
  const { end, isCurrent, chunks, chunkBytes } = facts;
  const later = Math.min(Math.max(FIRST_LOOK_SECONDS, age / 10), LAST_LOOK_SECONDS);
  if (chunks === 0 || facts.dagId === null) return { kind: 'forget' };
  if (!end) return isCurrent || age < FORGET_SECONDS ? { kind: 'wait', seconds: later } : { kind: 'forget' };
  const isWhole = end.logBytes > 0 && chunkBytes >= end.logBytes;
  if (isWhole || end.secondsAgo > GRACE_SECONDS) return { kind: 'archive' };
  return { kind: 'wait', seconds: Math.min(later, GRACE_SECONDS - end.secondsAgo + 1) };
}

/** Backfills: what becomes of a date for which there is a run already. Pure. */
import type { RunState } from './states.ts';
import { isFinishedRunState } from './states.ts';

/**
 * Which dates that have a run get another one. `none`: no date. `failed`: those whose newest run failed or was cancelled.
 * `completed`: all whose newest run has ended.
 */
export const REPROCESS = ['none', 'failed', 'completed'] as const;
export type Reprocess = (typeof REPROCESS)[number];

export type DateDecision = 'create' | 'rerun' | 'exists' | 'in_flight';

/** `newest`: state of the newest run of that date; null: there is none. A run under way is never doubled. */
export function decideDate(newest: RunState | null, reprocess: Reprocess): DateDecision {
  if (newest === null) return 'create';
  if (!isFinishedRunState(newest)) return 'in_flight';
  if (reprocess === 'completed') return 'rerun';
  return reprocess === 'failed' && newest !== 'success' ? 'rerun' : 'exists';
}

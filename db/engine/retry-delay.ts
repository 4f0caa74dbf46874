/** Seconds to wait before the next try. Pure; jitter is deterministic, so that a replay gives the same time. */
import { createHash } from 'node:crypto';
import type { TaskSpecBase } from '#sdk/dag-spec.ts';

const DAY = 86_400;

type RetrySpec = Pick<TaskSpecBase, 'retryDelay' | 'retryBackoff' | 'maxRetryDelay'>;

/**
 * Constant when `retryBackoff` is 1. Otherwise `retryDelay × retryBackoff^(failedTry - 1)`, stretched by a factor in [1, 2) taken from
 * the task instance and try (as Airflow's exponential backoff), capped by `maxRetryDelay` and a day.
 */
export function retryDelaySeconds(spec: RetrySpec, failedTry: number, seed: string): number {
  const cap = Math.min(spec.maxRetryDelay ?? DAY, DAY);
  // Nothing times a growth beyond all numbers is not a number
  if (spec.retryBackoff === 1 || spec.retryDelay === 0) return Math.min(spec.retryDelay, cap);
  const base = spec.retryDelay * spec.retryBackoff ** Math.max(0, failedTry - 1);
  const digest = createHash('sha1').update(`${seed}#${failedTry}`).digest();
  const stretch = 1 + digest.readUInt32BE(0) / 2 ** 32;
  return Math.min(base * stretch, cap);
}

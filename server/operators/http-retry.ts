/** Whether and when a request is sent again, within one try of the task. */
import type { HttpLaunch } from './launch.ts';

export interface Attempt {
  /** From 1. */
  number: number;
  /** Null: there was no answer. */
  answer: { status: number; retryAfter: string | undefined } | null;
  /** Without an answer: the service was never reached. */
  neverSent: boolean;
  /** Nothing would change. */
  final: boolean;
}

type Settings = Pick<HttpLaunch, 'method' | 'requestRetries' | 'requestRetryDelay' | 'retryOn' | 'retryUnsafe'>;

const MAX_DELAY_MS = 60_000;
/** A service that wants more than this is left to the task's own retries. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;
const UNSAFE: ReadonlySet<string> = new Set(['POST', 'PATCH']);

/** Milliseconds to the next attempt; null: this one was the last. `random` is from 0 to 1. */
export function nextAttemptIn(attempt: Attempt, settings: Settings, now: Date, random: number): number | null {
  if (attempt.final || attempt.number > settings.requestRetries) return null;
  if (!wantsRetry(attempt, settings) || !mayRepeat(attempt, settings)) return null;
  const asked = retryAfterMs(attempt.answer?.retryAfter, now);
  if (asked !== null && asked > MAX_RETRY_AFTER_MS) return null;
  const backoff = Math.min(MAX_DELAY_MS, settings.requestRetryDelay * 1000 * 2 ** (attempt.number - 1));
  return Math.max(asked ?? 0, backoff * (0.8 + random * 0.4));
}

const wantsRetry = ({ answer }: Attempt, { retryOn }: Settings): boolean =>
  answer === null || matchesStatus(answer.status, retryOn);

/** A POST that may have been carried out is not repeated, unless the task says that it may be. 429 says that it was not. */
function mayRepeat({ answer, neverSent }: Attempt, { method, retryUnsafe }: Settings): boolean {
  if (retryUnsafe || !UNSAFE.has(method)) return true;
  if (answer === null) return neverSent;
  return answer.status === 429 || (answer.status === 503 && answer.retryAfter !== undefined);
}

/** `'404'` or `'4xx'`. */
export const matchesStatus = (status: number, patterns: readonly string[]): boolean =>
  patterns.includes(String(status)) || patterns.includes(`${Math.floor(status / 100)}xx`);

/** Seconds, or a date. */
function retryAfterMs(header: string | undefined, now: Date): number | null {
  if (header === undefined) return null;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now.getTime());
}

/** What a Kubernetes API answers when it does not do what was asked. */
import type { IncomingHttpHeaders } from 'node:http';

export interface KubeErrorParts {
  /** Of the HTTP answer; 0 when there was none. */
  status: number;
  /** The API server's one-word reason, such as `AlreadyExists`; empty when it named none. */
  reason?: string;
  retryAfterSeconds?: number | null;
  /** Fields that were refused, with the words of the API server. */
  causes?: { field: string; message: string; reason: string }[];
  /** Nothing can have been carried out: the API server was never reached. */
  neverSent?: boolean;
  cause?: unknown;
}

/** Its message is the API server's own, or why there was no answer. It never holds credentials. */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | null;
  readonly causes: { field: string; message: string; reason: string }[];
  readonly neverSent: boolean;
  constructor(message: string, parts: KubeErrorParts) {
    super(message, { cause: parts.cause });
    this.name = 'KubeError';
    this.status = parts.status;
    this.reason = parts.reason ?? '';
    this.retryAfterSeconds = parts.retryAfterSeconds ?? null;
    this.causes = parts.causes ?? [];
    this.neverSent = parts.neverSent ?? false;
  }
}

const MOST_MESSAGE = 4000;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A `Status` object of the API, or nothing when the body is something else (a proxy's page). */
function readStatus(body: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

/** `Retry-After` in seconds; dates count from `now`. */
export function readRetryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}

/** The error of an answer that is not 2xx. */
export function errorOfAnswer(status: number, headers: IncomingHttpHeaders, body: string, now = Date.now()): KubeError {
  const parsed = readStatus(body);
  const details = isObject(parsed?.['details']) ? parsed['details'] : {};
  const causes = Array.isArray(details['causes']) ? details['causes'].filter(isObject) : [];
  const inBody = details['retryAfterSeconds'];
  const said = textOf(parsed?.['message']) || body.trim();
  return new KubeError(said.slice(0, MOST_MESSAGE) || `The API server answered ${status} without a word.`, {
    status,
    reason: textOf(parsed?.['reason']),
    retryAfterSeconds: readRetryAfter(headers['retry-after'], now) ?? (typeof inBody === 'number' ? inBody : null),
    causes: causes.map((cause) => ({
      field: textOf(cause['field']),
      message: textOf(cause['message']),
      reason: textOf(cause['reason']),
    })),
  });
}

/** The error of an `ERROR` event in a watch, whose object is a `Status`. */
export function errorOfStatus(status: unknown): KubeError {
  const code = isObject(status) && typeof status['code'] === 'number' ? status['code'] : 500;
  return errorOfAnswer(code, {}, JSON.stringify(status ?? null));
}

export const hasStatus = (error: unknown, status: number): error is KubeError =>
  error instanceof KubeError && error.status === status;

/** Errors of Postgres and the network after which the same transaction may be sent again. */
import { setTimeout as sleep } from 'node:timers/promises';

const CODES = new Set([
  '40001',
  '40P01',
  '25006',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const CLASSES = ['08', '53', '57P'];
const MESSAGES =
  /Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed/i;

export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return CODES.has(code) || CLASSES.some((prefix) => code.startsWith(prefix)) || MESSAGES.test(error.message);
}

/** 10 ms, doubling, with jitter; a second at most. */
export async function retryPause(attempt: number): Promise<void> {
  await sleep(Math.min(1000, 10 * 2 ** attempt) * (0.5 + Math.random()));
}

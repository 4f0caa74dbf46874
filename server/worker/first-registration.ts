/** A worker's first registration. The service may come later than the worker, in any order that machines are started in. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { ServiceRefusal } from './service-answer.ts';

const FIRST_PAUSE_MS = 250;
/** So soon a worker is there after its service is. */
const LONGEST_PAUSE_MS = 5_000;
/** What has not changed is said again so often. */
const SAY_AGAIN_MS = 60_000;

export interface FirstRegistrationDeps {
  url: string;
  register(): Promise<number>;
  signal: AbortSignal;
  log: Logger;
}

/** Asks until the service answers. Rejects when it refuses, and as soon as `signal` aborts. */
export async function registerFirst({ url, register, signal, log }: FirstRegistrationDeps): Promise<number> {
  const say = createWaitingNotice(url, log);
  for (let failures = 0; ; failures++) {
    try {
      return await beforeAbort(register(), signal);
    } catch (error) {
      if (signal.aborted || error instanceof ServiceRefusal) throw error;
      say(describe(error));
    }
    await sleep(pauseAfter(failures), undefined, { signal });
  }
}

/** ± 20 %, so that the workers of a service that comes back do not all ask at once. */
const pauseAfter = (failures: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.8 + Math.random() * 0.4);

function createWaitingNotice(url: string, log: Logger) {
  const began = performance.now();
  let said = { cause: '', at: -Infinity };
  return (cause: string) => {
    const now = performance.now();
    if (cause === said.cause && now - said.at < SAY_AGAIN_MS) return;
    said = { cause, at: now };
    log.warn({ url, cause, waitedSeconds: Math.round((now - began) / 1000) }, 'waiting for the service');
  };
}

/** `fetch failed` says nothing; what it was caused by does. Of an address with several hosts the last one speaks. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors.at(-1));
  if (error instanceof Error) return error.cause === undefined ? error.message : describe(error.cause);
  return String(error);
}

/** An attempt may hang for as long as its own timeout; whoever stops does not wait for it. */
function beforeAbort<T>(attempt: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    attempt.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

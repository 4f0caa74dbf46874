/** The first word with the service. It may come later than who speaks to it, in any order that machines are started in. */
import { setTimeout as sleep } from 'node:timers/promises';

import { ServiceRefusal } from './service-answer.ts';

const FIRST_PAUSE_MS = 250;
/** So soon a worker is there after its service is. */
const LONGEST_PAUSE_MS = 5_000;
/** What has not changed is said again so often. */
const SAY_AGAIN_MS = 60_000;

/** The part of a logger that waiting needs. */
interface WaitingLog {
  warn(fields: object, message: string): void;
}

export interface AskDeps<T> {
  url: string;
  ask(): Promise<T>;
  signal: AbortSignal;
  log: WaitingLog;
}

/** Asks until the service answers. Rejects when it refuses, and as soon as `signal` aborts. */
export async function askUntilAnswered<T>({ url, ask, signal, log }: AskDeps<T>): Promise<T> {
  const say = createWaitingNotice(url, log);
  for (let failures = 0; ; failures++) {
    try {
      return await beforeAbort(ask(), signal);
    } catch (error) {
      if (signal.aborted || error instanceof ServiceRefusal) throw error;
      say(error);
    }
    await sleep(pauseAfter(failures), undefined, { signal });
  }
}

/** ± 20 %, so that the workers of a service that comes back do not all ask at once. */
const pauseAfter = (failures: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.8 + Math.random() * 0.4);

function createWaitingNotice(url: string, log: WaitingLog) {
  const began = performance.now();
  let said = { cause: '', at: -Infinity };
  return (error: unknown) => {
    const cause = describe(error);
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

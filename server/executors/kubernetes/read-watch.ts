/** One watch, from its first event to its end. */
import type { IncomingMessage } from 'node:http';
import { errorOfStatus, KubeError } from './kube-error.ts';
import type { Watched } from './object-watch.ts';
import { createLineSplitter } from './split-lines.ts';

export type WatchEnd =
  /** The server ended it when it was to; going on from `version` misses nothing. */
  | { kind: 'complete'; version: string }
  /** We ended it. */
  | { kind: 'asked' }
  /** No byte for too long. */
  | { kind: 'silent'; error: Error }
  | { kind: 'broken'; error: Error };

export interface ReadWatchOptions<T> {
  version: string;
  silentMs: number;
  /** After which the server was asked to end it. */
  timeoutMs: number;
  signal: AbortSignal;
  /** `ADDED`, `MODIFIED`, `DELETED`. */
  onChange(type: string, object: T): void;
  onUnreadable(error: unknown): void;
}

/** A server that ends a watch sooner than this part of the time it was given has some trouble. */
const EARLY = 0.5;

interface WatchEvent<T> {
  type: string;
  object: T;
}

/** Never rejects: how it ended is the result. */
export async function readWatch<T extends Watched>(
  stream: IncomingMessage,
  { version, silentMs, timeoutMs, signal, onChange, onUnreadable }: ReadWatchOptions<T>,
): Promise<WatchEnd> {
  const startedAt = performance.now();
  const splitter = createLineSplitter();
  let last = version;
  let silent = false;
  const watchdog = setTimeout(() => {
    silent = true;
    stream.destroy();
  }, silentMs);

  /** @throws KubeError for an `ERROR` event. */
  function handle(text: string): void {
    let event: WatchEvent<T>;
    try {
      event = JSON.parse(text) as WatchEvent<T>;
      if (event.type !== 'ERROR') last = event.object.metadata?.resourceVersion ?? last;
    } catch (error) {
      return onUnreadable(error);
    }
    if (event.type === 'ERROR') throw errorOfStatus(event.object);
    if (event.type !== 'BOOKMARK') onChange(event.type, event.object);
  }

  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      watchdog.refresh();
      for (const { bytes } of splitter.push(chunk)) handle(bytes.toString('utf8'));
    }
    if (silent) return { kind: 'silent', error: silence(silentMs) };
    if (performance.now() - startedAt < timeoutMs * EARLY)
      return { kind: 'broken', error: new KubeError('The API server ended a watch early.', { status: 0 }) };
    return { kind: 'complete', version: last };
  } catch (error) {
    if (silent) return { kind: 'silent', error: silence(silentMs) };
    if (signal.aborted) return { kind: 'asked' };
    return { kind: 'broken', error: error as Error };
  } finally {
    clearTimeout(watchdog);
    stream.destroy();
  }
}

const silence = (ms: number): Error =>
  new KubeError(`A watch was silent for ${Math.round(ms / 1000)} s and was taken for dead.`, { status: 0 });

import { setTimeout as sleep } from 'node:timers/promises';
import { openListenConnection, type ListenConnection } from './listen-connection.ts';

export interface ListenerOptions {
  /** Time between liveness probes. */
  probeMs?: number;
  applicationName?: string;
  /** The connection was lost or could not be made; the listener keeps trying. */
  onError?: (error: Error) => void;
}

export interface Listener {
  /** Calls `fn` with each payload; the returned function ends it. */
  on(channel: string, fn: (payload: string) => void): () => void;
  /** Called after every (re)connect: notifications may have been missed, so read again. */
  onResync(fn: () => void): () => void;
  /** Resolves when the first connection listens. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

type Handlers = Map<string, Set<(payload: string) => void>>;
const MAX_BACKOFF_MS = 5_000;
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** LISTEN that reconnects by itself. */
export function createListener(url: string, options: ListenerOptions = {}): Listener {
  const handlers: Handlers = new Map();
  const resyncs = new Set<() => void>();
  const abort = new AbortController();
  let connection: ListenConnection | undefined;
  let connecting: Promise<void> | undefined;

  function onLost(error: Error): void {
    connection = undefined;
    options.onError?.(error);
    if (!abort.signal.aborted) connecting = connect();
  }

  async function open(): Promise<void> {
    const opened: { connection?: ListenConnection } = {};
    const next = await openListenConnection({
      url,
      applicationName: options.applicationName ?? 'millrace listener',
      probeMs: options.probeMs ?? 15_000,
      onNotification: (channel, payload) => handlers.get(channel)?.forEach((fn) => fn(payload)),
      // Before it is in use, whatever waits for it fails and tries again
      onLost: (error) => (connection && connection === opened.connection ? onLost(error) : undefined),
    });
    opened.connection = next;
    try {
      await listenToAll(next, handlers);
      if (abort.signal.aborted) throw new Error('the listener was stopped');
    } catch (error) {
      await next.close();
      throw error;
    }
    connection = next;
    resyncs.forEach((fn) => fn());
  }

  async function connect(): Promise<void> {
    for (let attempt = 0; !abort.signal.aborted; attempt++) {
      try {
        return await open();
      } catch (error) {
        if (!abort.signal.aborted) options.onError?.(asError(error));
        await backOff(attempt, abort.signal);
      }
    }
  }

  return {
    on(channel, fn) {
      const present = handlers.get(channel);
      handlers.set(channel, (present ?? new Set()).add(fn));
      // A failure means a broken connection, which reports its loss itself; unless it was stopped
      if (!present) void connection?.listen(channel).catch(() => 'broken');
      return () => void handlers.get(channel)?.delete(fn);
    },
    onResync(fn) {
      resyncs.add(fn);
      return () => void resyncs.delete(fn);
    },
    start: () => (connecting ??= connect()),
    async stop() {
      abort.abort();
      const last = connection;
      connection = undefined;
      await last?.close();
      await connecting;
    },
  };
}

async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const delay = Math.min(MAX_BACKOFF_MS, 50 * 2 ** attempt) * (0.5 + Math.random());
  await sleep(delay, undefined, { signal }).catch(() => 'stopped');
}

/** A channel that is added while this runs is caught by the next look. */
async function listenToAll(connection: ListenConnection, handlers: Handlers): Promise<void> {
  const done = new Set<string>();
  for (;;) {
    const next = [...handlers.keys()].find((channel) => !done.has(channel));
    if (next === undefined) return;
    await connection.listen(next);
    done.add(next);
  }
}

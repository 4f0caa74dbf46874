import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface ListenerOptions {
  /** Time between liveness probes: a peer that vanished without a FIN is noticed within two of them. */
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

const PROBE_TIMEOUT_MS = 5_000;
const MAX_BACKOFF_MS = 5_000;

/** A LISTEN connection that reconnects by itself. */
export function createListener(url: string, options: ListenerOptions = {}): Listener {
  const channels = new Map<string, Set<(payload: string) => void>>();
  const resyncs = new Set<() => void>();
  const abort = new AbortController();
  let client: pg.Client | undefined;
  let probeTimer: NodeJS.Timeout | undefined;
  let connecting: Promise<void> | undefined;

  const listen = (target: pg.Client, channel: string) => target.query(`listen ${pg.escapeIdentifier(channel)}`);
  const failed = (error: unknown) => {
    if (!abort.signal.aborted) options.onError?.(error instanceof Error ? error : new Error(String(error)));
  };

  function lost(dead: pg.Client, error: unknown): void {
    if (client !== dead) return;
    client = undefined;
    clearInterval(probeTimer);
    dead.removeAllListeners('notification');
    dead.end().catch(failed);
    if (abort.signal.aborted) return;
    failed(error);
    connecting = connect();
  }

  async function open(): Promise<void> {
    const next = new pg.Client({
      connectionString: url,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      application_name: options.applicationName ?? 'millrace listener',
    });
    next.on('error', (error) => lost(next, error));
    next.on('end', () => lost(next, new Error('the LISTEN connection ended')));
    next.on('notification', (message) => {
      for (const fn of channels.get(message.channel) ?? []) fn(message.payload ?? '');
    });
    try {
      await next.connect();
      // One that is added while these run is caught by the second look.
      const done = new Set<string>();
      for (let todo = [...channels.keys()]; todo.length > 0; todo = [...channels.keys()].filter((c) => !done.has(c)))
        for (const channel of todo) {
          await listen(next, channel);
          done.add(channel);
        }
      if (abort.signal.aborted) throw new Error('stopped');
    } catch (error) {
      await next.end().catch(() => undefined);
      throw error;
    }
    client = next;
    probeTimer = setInterval(() => probe(next), options.probeMs ?? 15_000);
    probeTimer.unref();
    for (const fn of resyncs) fn();
  }

  function probe(target: pg.Client): void {
    const timeout = new AbortController();
    const late = sleep(PROBE_TIMEOUT_MS, undefined, { signal: timeout.signal, ref: false }).then(() => {
      throw new Error('the LISTEN connection does not answer');
    });
    Promise.race([target.query('select 1'), late])
      .catch((error) => lost(target, error))
      .finally(() => timeout.abort());
    late.catch(() => undefined);
  }

  async function connect(): Promise<void> {
    for (let attempt = 0; !abort.signal.aborted; attempt++) {
      try {
        return await open();
      } catch (error) {
        failed(error);
        const delay = Math.min(MAX_BACKOFF_MS, 50 * 2 ** attempt) * (0.5 + Math.random());
        await sleep(delay, undefined, { signal: abort.signal }).catch(() => undefined);
      }
    }
  }

  return {
    on(channel, fn) {
      let set = channels.get(channel);
      if (!set) {
        channels.set(channel, (set = new Set()));
        const target = client;
        if (target) listen(target, channel).catch((error) => lost(target, error));
      }
      set.add(fn);
      return () => void set.delete(fn);
    },
    onResync(fn) {
      resyncs.add(fn);
      return () => void resyncs.delete(fn);
    },
    start: () => (connecting ??= connect()),
    async stop() {
      abort.abort();
      clearInterval(probeTimer);
      const last = client;
      client = undefined;
      await last?.end().catch(() => undefined);
      await connecting;
    },
  };
}

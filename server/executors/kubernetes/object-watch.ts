/**
 * Keeps up with all objects of a kind: lists them, watches from there, and lists again whenever it may have missed something, and at
 * times without a reason. What vanished in between is told as gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { anyOf } from '../../abort.ts';
import type { ClusterClient, ObjectSource } from './cluster-client.ts';
import { hasStatus, KubeError } from './kube-error.ts';
import type { KubeMeta } from './kube-types.ts';
import { readWatch, type WatchEnd } from './read-watch.ts';

export interface Watched {
  metadata?: KubeMeta;
}

export interface WatchCounters {
  /** Watches that were opened. */
  watches: number;
  /** Full lists, the first one too. */
  relists: number;
  /** Objects that a list no longer had, of whose end no event came. */
  syntheticDeletes: number;
  /** Watches that ended otherwise than they should, and lists that failed. */
  restarts: number;
  /** Restarts because nothing at all came for `silentMs`. */
  silences: number;
  /** Callbacks that threw and events that could not be read. */
  failedObjects: number;
  /** Milliseconds since 1970; null before the first. */
  lastEventAt: number | null;
  lastSyncedAt: number | null;
}

export interface ObjectWatchOptions<T extends Watched> {
  client: Pick<ClusterClient, 'list' | 'watch'>;
  source: ObjectSource;
  /** Is new or has changed. */
  onObject(object: T): void;
  /** Is no more; as it was last seen. */
  onGone(object: T): void;
  /** After each full list, with all there is. */
  onSynced?(all: T[]): void;
  /** `context`: what was being done. The loop goes on. */
  onError(error: unknown, context: string): void;
  /** Between full lists for no reason; ± 10 %. */
  relistMs?: number;
  /** A watch that gives no byte for so long, not even a bookmark, is taken for dead. API servers send bookmarks about once a minute. */
  silentMs?: number;
  /** How long the server is asked to keep a watch open, in seconds: from, to. */
  watchSeconds?: readonly [number, number];
  /** Pause after the first failure; doubles with each up to `mostPauseMs`. */
  pauseMs?: number;
  mostPauseMs?: number;
}

export interface ObjectWatch {
  readonly counters: Readonly<WatchCounters>;
  /** Why it does not keep up right now; null while it does. */
  problem(): string | null;
  /** Resolves when everything there is has been told once. */
  synced: Promise<void>;
  /** Lists anew as soon as it can. */
  relist(): void;
  stop(): Promise<void>;
}

const MINUTE_MS = 60_000;

export function startObjectWatch<T extends Watched>(options: ObjectWatchOptions<T>): ObjectWatch {
  const { client, source, onError, relistMs = 5 * MINUTE_MS, silentMs = 90_000 } = options;
  const { watchSeconds = [240, 300], pauseMs = 500, mostPauseMs = 30_000 } = options;
  const stopping = new AbortController();
  const counters: WatchCounters = {
    watches: 0,
    relists: 0,
    syntheticDeletes: 0,
    restarts: 0,
    silences: 0,
    failedObjects: 0,
    lastEventAt: null,
    lastSyncedAt: null,
  };
  const known = new Map<string, T>();
  let problem: string | null = 'has not been listed yet';
  let failures = 0;
  let relistSoon = new AbortController();
  let relistAt = 0;
  let tellSynced = () => {};
  const synced = new Promise<void>((resolve) => (tellSynced = resolve));

  /** One object that cannot be dealt with must not keep us from the others. */
  function guarded(context: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      counters.failedObjects += 1;
      onError(error, context);
    }
  }

  function take(object: T): void {
    const { uid = '', resourceVersion } = object.metadata ?? {};
    // Who set which field is the larger half of an object and nothing that anybody here reads.
    delete object.metadata?.managedFields;
    if (known.get(uid)?.metadata?.resourceVersion === resourceVersion) return;
    known.set(uid, object);
    guarded('onObject', () => options.onObject(object));
  }

  function drop(object: T): void {
    known.delete(object.metadata?.uid ?? '');
    guarded('onGone', () => options.onGone(object));
  }

  async function list(): Promise<string> {
    relistSoon = new AbortController();
    // A list that fails is not due again at once
    relistAt = Infinity;
    const { items, resourceVersion } = await client.list<T>(source, { signal: stopping.signal });
    counters.relists += 1;
    relistAt = performance.now() + relistMs * (0.9 + Math.random() * 0.2);
    const there = new Set(items.map((item) => item.metadata?.uid));
    for (const object of [...known.values()].filter(({ metadata }) => !there.has(metadata?.uid))) {
      counters.syntheticDeletes += 1;
      drop(object);
    }
    items.forEach(take);
    counters.lastSyncedAt = Date.now();
    guarded('onSynced', () => options.onSynced?.(items));
    tellSynced();
    return resourceVersion;
  }

  /** Watches from `version` until the watch ends. */
  async function watch(version: string): Promise<WatchEnd> {
    const bounded = anyOf([stopping.signal, relistSoon.signal], { timeoutMs: relistAt - performance.now() });
    try {
      return await watchWithin(version, bounded.signal);
    } finally {
      bounded.release();
    }
  }

  async function watchWithin(version: string, signal: AbortSignal): Promise<WatchEnd> {
    const [from, to] = watchSeconds;
    const timeoutSeconds = Math.round(from + Math.random() * (to - from));
    counters.watches += 1;
    const stream = await client.watch(source, { resourceVersion: version, timeoutSeconds, signal });
    problem = null;
    const events = {
      onChange(type: string, object: T) {
        counters.lastEventAt = Date.now();
        failures = 0;
        if (type === 'DELETED') drop(object);
        else take(object);
      },
      onUnreadable(error: unknown) {
        counters.failedObjects += 1;
        onError(error, 'event');
      },
    };
    return readWatch<T>(stream, { version, silentMs, signal, timeoutMs: timeoutSeconds * 1000, ...events });
  }

  /** Where to go on watching, or null when all must be listed anew. */
  async function pass(version: string | null): Promise<string | null> {
    const listed = version ?? (await list());
    const end = await watch(listed);
    if (end.kind === 'asked') return null;
    if (end.kind === 'complete') {
      failures = 0;
      return end.version;
    }
    if (end.kind === 'silent') counters.silences += 1;
    throw end.error;
  }

  async function pauseAfter(error: unknown): Promise<void> {
    const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    // A version that is too old says nothing about the server: the first time, list at once.
    const own = failures === 0 && hasStatus(error, 410) ? 0 : Math.min(mostPauseMs, pauseMs * 2 ** failures);
    failures += 1;
    const ms = Math.max(asked, own * (0.5 + Math.random() * 0.5));
    if (ms > 0) await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  const run = async () => {
    let version: string | null = null;
    while (!stopping.signal.aborted) {
      try {
        version = await pass(version);
      } catch (error) {
        version = null;
        if (stopping.signal.aborted) return;
        // The time for a list may come while the watch is still being opened.
        if (relistSoon.signal.aborted || performance.now() >= relistAt - 1) continue;
        counters.restarts += 1;
        problem = error instanceof Error ? error.message : String(error);
        onError(error, 'watch');
        await pauseAfter(error);
      }
    }
  };
  const running = run();

  return {
    counters,
    problem: () => problem,
    synced,
    relist: () => relistSoon.abort(),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

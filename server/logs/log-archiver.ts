/** Moves sealed logs from Postgres to the log store. Any number of schedulers share the work. */
import { randomUUID } from 'node:crypto';
import type { Db } from '#db/client.ts';
import { claimDueLogs, hastenDueLogs, postponeDueLog, type DueLog } from '#db/queries/log-archive.ts';
import {
  claimTrashedLogs,
  forgetTrashedLogs,
  readLogStoreHealth,
  recordLogStoreHealth,
  seedDueLogs,
  setCurrentLogStore,
} from '#db/queries/log-stores.ts';
import type { Logger } from '../log.ts';
import { startLoop } from '../scheduler/loop.ts';
import { archiveLog, StoreFailure } from './archive-log.ts';
import { createLogReader } from './log-reader.ts';
import type { LogStore } from './log-store.ts';
import type { LogStores } from './log-stores.ts';

const SECOND = 1000;
/** A log of many gigabytes to a slow store. */
const CLAIM_SECONDS = 900;
const BATCH = 16;
/** At once: the service has other things to do as well. */
const ABREAST = 4;
const IDLE_MS = 5 * SECOND;
const MOST_BACKOFF_MS = 60 * SECOND;
const MOST_RETRY_SECONDS = 300;
const TRASH_BATCH = 200;
const TRASH_SECONDS = 60;
const TRASH_PAUSE_MS = 30 * SECOND;
const SEED_RUNS = 200;
/** Between batches of runs: old logs are in no hurry. */
const SEED_PAUSE_MS = 200;
const SEED_LOOK_MS = 60 * SECOND;
const MOST_ERROR_CHARACTERS = 500;

export interface ArchiverMetrics {
  archived(store: string, bytes: number, seconds: number): void;
  failed(store: string): void;
  deleted(store: string, logs: number): void;
}

export interface LogArchiverDeps {
  db: Db;
  stores: LogStores;
  log: Logger;
  onError(error: unknown, loop: string): void;
  metrics?: ArchiverMetrics | undefined;
}

export interface LogArchiver {
  /** Looks at once at what is due. */
  wake(): void;
  stop(): Promise<void>;
}

export async function startLogArchiver(deps: LogArchiverDeps): Promise<LogArchiver> {
  const { db, stores, log, onError } = deps;
  const { current } = stores;
  const { changed } = await setCurrentLogStore(db, current);
  if (changed) log.info({ store: current?.name ?? 'postgres' }, 'logs go to another store from now on');
  if (current) await examine(deps, current.name);
  const loops = [
    startLoop({
      name: 'delete archived logs',
      mostMs: TRASH_PAUSE_MS,
      onError,
      pass: () => emptyTrash(deps),
    }),
  ];
  if (current)
    loops.push(
      startLoop({
        name: 'archive logs',
        mostMs: MOST_BACKOFF_MS,
        onError,
        pass: createArchivePass(deps, current.name),
      }),
      startLoop({
        name: 'find logs to archive',
        mostMs: SEED_LOOK_MS,
        onError,
        pass: async () => ((await seedDueLogs(db, SEED_RUNS)) ? SEED_PAUSE_MS : SEED_LOOK_MS),
      }),
    );
  return {
    wake: () => loops.forEach((loop) => loop.wake()),
    stop: async () => void (await Promise.all(loops.map((loop) => loop.stop()))),
  };
}

/** While there is no log that would show it. True: the store works. */
async function examine(deps: LogArchiverDeps, name: string): Promise<boolean> {
  const check = async () => (await deps.stores.reading(name)).check();
  const error = await check().then(
    () => null,
    (cause: unknown) => new StoreFailure(name, cause),
  );
  await tellHealth(deps, name, error);
  return error === null;
}

/** To the log when it is news. */
async function tellHealth({ db, log }: LogArchiverDeps, store: string, error: StoreFailure | null): Promise<void> {
  const isNews = await recordLogStoreHealth(db, store, error && error.message.slice(0, MOST_ERROR_CHARACTERS));
  if (!isNews) return;
  if (error) return log.warn({ error }, 'the log store fails: logs stay in Postgres until it works');
  log.info({ store }, 'the log store works again');
  await hastenDueLogs(db);
}

/** Resolves to how long to sleep after it. */
function createArchivePass(deps: LogArchiverDeps, storeName: string): () => Promise<number> {
  const { db, stores, metrics } = deps;
  const reader = createLogReader({ db, stores });
  let failures = 0;

  const move = async (store: LogStore, due: DueLog, claim: string): Promise<'moved' | 'left' | 'failed'> => {
    const began = Date.now();
    try {
      const moved = await archiveLog({ db, reader, store }, due, claim);
      if (!moved) return 'left';
      metrics?.archived(store.name, moved.bytes, (Date.now() - began) / SECOND);
      return 'moved';
    } catch (error) {
      metrics?.failed(store.name);
      const { runId, uuid, attempts } = due;
      const seconds = Math.min(2 ** Math.min(attempts, 10), MOST_RETRY_SECONDS);
      await postponeDueLog(db, { runId, uuid, claim }, { seconds, failed: true });
      if (!(error instanceof StoreFailure)) throw error;
      await tellHealth(deps, store.name, error);
      return 'failed';
    }
  };

  return async () => {
    const store = await stores.reading(storeName);
    // After a failure one log shows whether it works again
    const claim = randomUUID();
    const dues = await claimDueLogs(db, { claim, limit: failures > 0 ? 1 : BATCH, seconds: CLAIM_SECONDS });
    if (dues.length === 0) {
      const isBack = (await readLogStoreHealth(db))?.failingSince && (await examine(deps, storeName));
      return isBack ? 0 : IDLE_MS;
    }
    const outcomes = await abreast(dues, ABREAST, (due) => move(store, due, claim));
    if (outcomes.includes('failed')) {
      failures += 1;
      return Math.min(SECOND * 2 ** failures, MOST_BACKOFF_MS);
    }
    if (!outcomes.includes('moved')) return 0;
    failures = 0;
    await tellHealth(deps, storeName, null);
    return 0;
  };
}

async function abreast<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.values();
  const run = async () => {
    for (const item of queue) results.push(await work(item));
  };
  const settled = await Promise.allSettled(Array.from({ length: most }, run));
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return results;
}

/** Resolves to how long to sleep after it. */
async function emptyTrash({ db, stores, metrics, onError }: LogArchiverDeps): Promise<number> {
  let isMore = false;
  for (const name of stores.known) {
    const trashed = await claimTrashedLogs(db, { store: name, limit: TRASH_BATCH, seconds: TRASH_SECONDS });
    if (trashed.length === 0) continue;
    try {
      await (await stores.reading(name)).delete(trashed.map(({ key }) => key));
    } catch (error) {
      // It comes again; other stores may work
      onError(error, 'delete archived logs');
      continue;
    }
    await forgetTrashedLogs(
      db,
      trashed.map(({ id }) => id),
    );
    metrics?.deleted(name, trashed.length);
    isMore ||= trashed.length === TRASH_BATCH;
  }
  return isMore ? 0 : TRASH_PAUSE_MS;
}

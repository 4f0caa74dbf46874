/**
 * Durable consumers of the event log: what is to follow from an event in this database follows exactly once, whatever dies in between.
 * Any number of schedulers share a consumer by its name.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import { isTransient } from '#db/engine/transient-errors.ts';
import type { Listener } from '#db/listen.ts';
import {
  lockConsumer,
  moveConsumer,
  peekEvents,
  readPlace,
  recordConsumerFailure,
  registerConsumer,
  withDagIds,
  type ConsumedEvent,
} from '#db/queries/event-consumer.ts';
import { cursorOfEvent, formatEventCursor, readEvents, type EventCursor } from '#db/queries/events.ts';
import type { DB } from '#db/types.ts';
import type { Logger } from '../log.ts';
import { startLoop } from './loop.ts';
import { afterFailure, afterSuccess, type FailedBatch } from './narrow-batch.ts';

/** The net under lost notifications. */
const POLL_MS = 1_000;
/** Another transaction holds rows back for a moment. */
const PENDING_MS = 25;
/** Somebody else handles them. */
const BUSY_MS = 200;
/** A busy engine commits hundreds of times a second: what comes within this time is handled together. */
const GATHER_MS = 50;
/** The same for those who are in a hurry, while so few events come. */
const QUICK_GATHER_MS = 5;
const FEW = 4;
const BATCH = 500;

export interface EventConsumerDeps {
  /** Names the place in the log. A new name starts now. */
  name: string;
  db: Db;
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
  /**
   * Handles events in the order of their commits. All it writes with `trx` counts together with the events' being done with, or not at
   * all: an event that fails comes again, and one that keeps failing is given up and logged. No network and no waiting in here, and
   * writing last: readers of the event log wait for transactions that have written.
   */
  handle(trx: Transaction<DB>, events: readonly ConsumedEvent[]): Promise<void>;
  /** Most events at once. */
  batch?: number;
  /** Somebody waits for what follows: while little happens it follows within milliseconds. */
  quick?: boolean;
}

export interface EventConsumer {
  stop(): Promise<void>;
}

type Pass =
  | { kind: 'idle' | 'busy' }
  | { kind: 'done'; full: boolean; events: number }
  | { kind: 'failed'; error: unknown; from: EventCursor; last: EventCursor; batch: FailedBatch };

export function startEventConsumer(deps: EventConsumerDeps): EventConsumer {
  const { name, db, listener, log, batch = BATCH, quick = false } = deps;
  const stopped = new AbortController();
  let isRegistered = false;

  async function pass(): Promise<number> {
    if (!isRegistered) await registerConsumer(db, name);
    isRegistered = true;
    const { readable, pending } = await peekEvents(db, name);
    if (!readable) return pending ? PENDING_MS : POLL_MS;
    const result = await handleBatch(deps, batch);
    if (result.kind === 'failed') return onFailure(result);
    if (result.kind !== 'done') return result.kind === 'busy' ? BUSY_MS : PENDING_MS;
    // Slept here, for a wake-up would end the loop's own sleep
    if (!result.full) await sleep(quick && result.events <= FEW ? QUICK_GATHER_MS : GATHER_MS);
    return 0;
  }

  async function onFailure({ error, from, last, batch }: Extract<Pass, { kind: 'failed' }>): Promise<number> {
    // No fault of any event
    if (isTransient(error)) throw error;
    const next = afterFailure(batch);
    const event = formatEventCursor(last);
    if (next.kind === 'skip') {
      log.error({ error, consumer: name, event }, 'an event could not be handled and is skipped');
      await skipEvent(deps, from, last);
      return 0;
    }
    log.warn({ error, consumer: name, event, events: batch.size }, 'events could not be handled; they are tried again');
    await recordConsumerFailure(db, { name, from, ...next, error: messageOf(error) });
    // Here as well: every event would wake it, and the attempts be used up while the trouble lasts
    await sleep(next.pauseMs, undefined, { signal: stopped.signal }).catch(() => 'stopped');
    return 0;
  }

  const onError = (error: unknown) => log.warn({ error, consumer: name }, 'the event log could not be consumed');
  const loop = startLoop({ name: `consume events: ${name}`, mostMs: POLL_MS, onError, pass });
  const off = [listener.on('millrace_event', loop.wake), listener.onResync(loop.wake)];

  return {
    async stop() {
      for (const stop of off) stop();
      stopped.abort();
      await loop.stop();
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 2_000);

async function handleBatch({ name, db, handle }: EventConsumerDeps, batch: number): Promise<Pass> {
  let seen: { from: EventCursor; last: EventCursor; batch: FailedBatch } | undefined;
  try {
    return await db.transaction().execute(async (trx): Promise<Pass> => {
      if (!(await lockConsumer(trx, name))) return { kind: 'busy' };
      const place = await readPlace(trx, name);
      if (!place) return { kind: 'idle' };
      const limit = Math.min(place.most ?? batch, batch);
      const { rows } = await readEvents(trx, { after: place.cursor, limit });
      const last = rows.at(-1);
      if (!last) return { kind: 'idle' };
      const to = cursorOfEvent(last);
      seen = { from: place.cursor, last: to, batch: { size: rows.length, most: place.most, failures: place.failures } };
      const events = await withDagIds(trx, rows);
      if (events.length > 0) await handle(trx, events);
      await moveConsumer(trx, { name, to, most: afterSuccess(place.most, batch) });
      return { kind: 'done', full: rows.length === limit, events: rows.length };
    });
  } catch (error) {
    if (!seen) throw error;
    return { kind: 'failed', error, ...seen };
  }
}

/** Steps over one event, unless somebody else has handled it meanwhile. */
async function skipEvent({ name, db }: EventConsumerDeps, from: EventCursor, to: EventCursor): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (!(await lockConsumer(trx, name))) return;
    const place = await readPlace(trx, name);
    if (!place || formatEventCursor(place.cursor) !== formatEventCursor(from)) return;
    await moveConsumer(trx, { name, to, most: 1, skipped: 1 });
  });
}

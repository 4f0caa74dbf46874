/**
 * A broker in Redis. It takes from Postgres what idle workers ask, and is never needed for progress: while it does not answer, claims ask
 * the table; whatever it forgets, repeats or mixes up, rows decide, and what it lacks is put back within a second.
 */
import type { Redis } from 'ioredis';
import type { Db } from '#db/client.ts';
import type { Broker } from '#db/engine/broker.ts';
import type { Logger } from '../log.ts';
import { createAvailability, plainError } from './availability.ts';
import { noCounts, type BrokerCounts } from './broker-counts.ts';
import { mendReadySets } from './mend-ready-sets.ts';
import { createReadySets, groupByQueue, wakeChannel, type ReadySets } from './ready-sets.ts';

export interface RedisBroker extends Broker {
  /** Calls `fn` with a queue in which something has become ready. */
  onReady(fn: (queue: string) => void): () => void;
  /** Some of that may have been missed. */
  onResync(fn: () => void): () => void;
  /** It answers. */
  isUp(): boolean;
  counts: Readonly<BrokerCounts>;
  stop(): Promise<void>;
}

export interface RedisBrokerDeps {
  /** Not connected yet. */
  client: Redis;
  db: Db;
  log: Logger;
  /** What tells this installation's keys from those of others. */
  mark: string;
}

/** Until rows are asked for again whose run was locked for long. */
const LATER_MS = 100;

export function createRedisBroker({ client, db, log, mark }: RedisBrokerDeps): RedisBroker {
  const prefix = `{millrace:${mark}}:`;
  const sets = createReadySets(client, prefix);
  const counts = noCounts();
  const { isUp, ask, away } = createAvailability(() => client.status === 'ready', log);
  const wakes = subscribe(client.duplicate(), prefix);
  const mending = keepMended({ db, sets, counts, isUp, log });
  const later = new Set<NodeJS.Timeout>();
  const onClose = () => away(new Error('The connection was closed.'));
  client.on('error', away);
  client.on('close', onClose);
  client.connect().catch(away);

  return {
    tells: true,
    counts,
    isUp,
    onReady: wakes.onReady,
    onResync: wakes.onResync,
    async publish(rows) {
      const own = rows.filter(({ queue }) => !queue.startsWith('@'));
      if (own.length === 0) return;
      const done = await ask(() => sets.add(own, true).then(() => true));
      counts[done ? 'told' : 'lost'] += own.length;
    },
    async take(queues, limit) {
      const taken = await ask(() => sets.take(queues, limit));
      if (taken) counts.taken += taken.length;
      else counts.fallbacks++;
      return taken;
    },
    async putBack(rows) {
      await ask(() => sets.add(rows, false));
      const timer = setTimeout(() => {
        later.delete(timer);
        void ask(() => sets.wake([...groupByQueue(rows).keys()]));
      }, LATER_MS);
      later.add(timer);
    },
    async stop() {
      for (const timer of later) clearTimeout(timer);
      await mending.stop();
      wakes.stop();
      client.off('close', onClose);
      client.disconnect();
    },
  };
}

/** A connection of its own: one that is subscribed can do nothing else. */
function subscribe(subscriber: Redis, prefix: string) {
  const listeners = new Set<(queue: string) => void>();
  const resyncs = new Set<() => void>();
  // The other connection tells of what is wrong
  const ignore = () => undefined;
  subscriber.on('error', ignore);
  subscriber.on('ready', () => {
    subscriber.subscribe(wakeChannel(prefix)).then(() => resyncs.forEach((fn) => fn()), ignore);
  });
  subscriber.on('message', (_channel, queue) => listeners.forEach((fn) => fn(queue)));
  subscriber.connect().catch(ignore);
  return {
    onReady(fn: (queue: string) => void) {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },
    onResync(fn: () => void) {
      resyncs.add(fn);
      return () => void resyncs.delete(fn);
    },
    stop: () => subscriber.disconnect(),
  };
}

const MEND_MS = 1_000;
const THOROUGH_EVERY = 60;

interface MendingDeps {
  db: Db;
  sets: ReadySets;
  counts: BrokerCounts;
  isUp(): boolean;
  log: Logger;
}

/** Once a second, one of all processes. */
function keepMended({ db, sets, counts, isUp, log }: MendingDeps) {
  const stopped = new AbortController();
  let passes = 0;
  let pass: Promise<void> | null = null;
  const mend = async () => {
    if (!isUp() || !(await sets.holdSweep(MEND_MS * 0.9))) return;
    const thoroughly = ++passes % THOROUGH_EVERY === 0;
    const { added, dropped } = await mendReadySets({ db, sets, signal: stopped.signal, thoroughly });
    counts.mended += added;
    counts.dropped += dropped;
  };
  const timer = setInterval(() => {
    pass ??= mend()
      .catch((error: unknown) =>
        log.warn({ error: plainError(error) }, 'the lines in Redis could not be compared with the table'),
      )
      .finally(() => (pass = null));
  }, MEND_MS);
  return {
    async stop() {
      stopped.abort();
      clearInterval(timer);
      await pass;
    },
  };
}

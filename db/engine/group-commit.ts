/**
 * Adaptive group commit: what arrives while a flush is in flight goes out together in the next one; when idle a flush starts at once.
 * No timers. A flush is one transaction, sent as one pipeline where nothing in it depends on an answer.
 */
import type { FollowUp } from './admit-gated.ts';
import type { Broker } from './broker.ts';
import type { Connections } from './connections.ts';
import { runFlush } from './flush.ts';
import type { PausedQueues } from './paused-queues.ts';
import { isTransient, retryPause } from './transient-errors.ts';
import type { Versions } from './versions.ts';
import type { Batch, LocalClaimer, WorkItem } from './work-items.ts';

const MOST_ROWS = 500;
/** Fewer rows are not worth two transactions. */
const LEAST_TO_SPLIT = 32;
const MOST_ATTEMPTS = 8;

export interface GroupCommit {
  submit(item: WorkItem): void;
  /** Tasks may be ready: let the workers of this process claim. */
  kick(): void;
  attach(claimer: LocalClaimer): () => void;
  /** When the flushes that are in flight now have ended. */
  settled(): Promise<void>;
  /** Flushes what is queued, then takes nothing more. */
  stop(): Promise<void>;
}

interface GroupCommitDeps {
  connections: Connections;
  versions: Versions;
  paused: PausedQueues;
  broker: Broker;
  /** What a flush has left to admit. */
  follow(admittable: FollowUp): Promise<void>;
  /** New runs of these DAGs may take the place of others. */
  settleKeys(dagIds: number[]): Promise<void>;
  onError(error: unknown): void;
}

export function createGroupCommit({
  connections,
  versions,
  paused,
  broker,
  follow,
  settleKeys,
  onError,
}: GroupCommitDeps): GroupCommit {
  let queue: WorkItem[] = [];
  const claimers = new Set<LocalClaimer>();
  const flights = new Set<Promise<void>>();
  let scheduled = false;
  let kicked = false;
  let stopping = false;

  const wake = () => {
    if (scheduled) return;
    scheduled = true;
    // A microtask: what arrives in the same tick goes out together
    queueMicrotask(() => {
      scheduled = false;
      while ((queue.length > 0 || kicked) && connections.idle() > 0) launch();
    });
  };

  const launch = () => {
    const items = takeItems();
    const makesReady = kicked || items.some((item) => item.kind !== 'claim');
    kicked = false;
    const locals = makesReady && !stopping ? reserveLocals() : [];
    if (items.length > 0 || locals.length > 0) track(fly({ items, locals }));
  };

  const track = (flying: Promise<void>) => {
    const flight = flying.finally(() => {
      flights.delete(flight);
      wake();
    });
    flights.add(flight);
  };

  /** Shares what waits among the idle connections, so that Postgres works on one part while this process works on the other. */
  const takeItems = (): WorkItem[] => {
    const waiting = queue.reduce((sum, item) => sum + item.rows, 0);
    const share = waiting < LEAST_TO_SPLIT ? MOST_ROWS : Math.min(MOST_ROWS, waiting / connections.idle());
    let rows = 0;
    let n = 0;
    while (n < queue.length && rows < share) rows += queue[n++]?.rows ?? 1;
    const items = queue.slice(0, n);
    queue = queue.slice(n);
    return items;
  };

  const reserveLocals = () =>
    [...claimers].flatMap((claimer) => {
      const limit = claimer.takeSlots();
      return limit > 0 ? [{ claimer, limit }] : [];
    });

  const fly = async (batch: Batch, attempt = 1): Promise<void> => {
    try {
      const queues = await paused.current();
      const { later, startable, admittable, contested, ready } = await connections.use((client) =>
        runFlush(client, batch, { versions, paused: queues, tells: broker.tells }),
      );
      if (ready.length > 0) track(aside(broker.publish(ready)));
      queue.unshift(...later);
      if (startable.length > 0) startRuns(startable);
      if (admittable && admittable.gates.size + admittable.runs.size > 0) track(aside(follow(admittable)));
      if (contested.length > 0) track(aside(settleKeys(contested)));
    } catch (error) {
      if (isTransient(error) && attempt < MOST_ATTEMPTS) {
        await retryPause(attempt);
        return fly(batch, attempt + 1);
      }
      await fail(batch, error);
    }
  };

  /** What a flush leaves to others; what is not done when the engine stops, the scheduler's review does. */
  const aside = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => (stopping ? undefined : onError(error)));

  /** One poisoned item must not take its neighbours along: they are tried one by one. */
  const fail = async (batch: Batch, error: unknown) => {
    for (const { claimer, limit } of batch.locals) claimer.deliver([], limit);
    if (batch.items.length > 1 && !isTransient(error)) {
      for (const item of batch.items) await fly({ items: [item], locals: [] });
      return;
    }
    onError(error);
    for (const item of batch.items) item.reject(error);
  };

  /** A run that ended makes room under max_active_runs. A flush of its own: DAG locks come before run locks. */
  const startRuns = (dagIds: number[]) => {
    queue.push({ kind: 'start', rows: 1, dagIds, resolve: () => undefined, reject: onError });
  };

  return {
    submit(item) {
      if (stopping) return item.reject(new Error('The engine is stopping; send it again.'));
      queue.push(item);
      wake();
    },
    kick() {
      kicked = true;
      wake();
    },
    attach(claimer) {
      claimers.add(claimer);
      kicked = true;
      wake();
      return () => claimers.delete(claimer);
    },
    async settled() {
      await Promise.allSettled(flights);
    },
    async stop() {
      stopping = true;
      while (flights.size > 0 || queue.length > 0) {
        await Promise.allSettled(flights);
        wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

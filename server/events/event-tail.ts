/** Follows the event log, once for all subscribers of this process, and only while there are any. */
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { cursorOfEvent, readEvents, readEventsEnd, type EventCursor, type EventRow } from '#db/queries/events.ts';
import type { Logger } from '../log.ts';
import type { DagNames } from './dag-names.ts';
import { createEventGroups, type Entry, type Group } from './event-groups.ts';
import type { SubscriberQueue } from './subscriber-queue.ts';
import { createWakeUp } from './wake-up.ts';

/** The net under lost notifications. */
const POLL_MS = 1_000;
/** Another transaction holds rows back for about as long as a flush takes. */
const PENDING_MS = 4;
const RETRY_MS = 500;
const BATCH = 1_000;

export interface EventTail {
  /** From the returned position on, everything that the group wants is pushed into the queue. */
  join(group: Group, queue: SubscriberQueue<Entry>): Promise<{ position: EventCursor; leave(): void }>;
  /** Up to here everything has been pushed. */
  position(): EventCursor;
  stop(): Promise<void>;
}

export interface EventTailDeps {
  db: Db;
  listener: Pick<Listener, 'on' | 'onResync'>;
  dagNames: DagNames;
  log: Logger;
}

export function createEventTail({ db, listener, dagNames, log }: EventTailDeps): EventTail {
  const stopped = new AbortController();
  const wakeUp = createWakeUp(stopped.signal);
  const groups = createEventGroups();
  const offs = [listener.on('millrace_event', wakeUp.raise), listener.onResync(wakeUp.raise)];
  let position: EventCursor | undefined;
  let starting: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  async function fanOut(rows: readonly EventRow[]): Promise<void> {
    const names = groups.needsDagNames() ? await dagNames.of(rows.map((row) => row.run_id)) : undefined;
    // No await from here on: who joins sees the position before or after all of these rows, never in between
    for (const row of rows) groups.push(row, names?.get(row.run_id));
    const last = rows.at(-1);
    if (last) position = cursorOfEvent(last);
  }

  async function pass(after: EventCursor): Promise<number> {
    const { rows, pending } = await readEvents(db, { after, limit: BATCH });
    await fanOut(rows);
    if (rows.length === BATCH) return 0;
    return pending ? PENDING_MS : POLL_MS;
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted && !groups.isEmpty() && position) {
      try {
        const pauseMs = await pass(position);
        if (pauseMs > 0) await wakeUp.wait(pauseMs);
      } catch (error) {
        log.warn({ error }, 'the event log could not be read');
        await wakeUp.wait(RETRY_MS);
      }
    }
    running = undefined;
    // Nobody is left: the next one to come begins at the end of the log, not where this one stopped
    if (groups.isEmpty()) position = undefined;
    else if (!stopped.signal.aborted) running = run();
  }

  async function start(): Promise<void> {
    try {
      const end = await readEventsEnd(db);
      position ??= end;
    } finally {
      starting = undefined;
    }
  }

  return {
    async join(group, queue) {
      while (!position) await (starting ??= start());
      const leave = groups.add(group, queue);
      running ??= run();
      return { position, leave };
    },
    position() {
      if (!position) throw new Error('The event tail has no position while nobody has joined it.');
      return position;
    },
    async stop() {
      stopped.abort();
      for (const off of offs) off();
      await running;
    },
  };
}

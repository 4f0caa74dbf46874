/** The event log across runs, in its global order, as one group sees it. */
import type { Db } from '#db/client.ts';
import {
  compareEventCursors,
  cursorOfEvent,
  formatEventCursor,
  hasEvent,
  parseEventCursor,
  readEvents,
  readEventsEnd,
  type EventCursor,
} from '#db/queries/events.ts';
import { badInput } from '#schema/errors.ts';
import type { StreamItem } from '#schema/event-streams.ts';
import type { DagNames } from './dag-names.ts';
import type { Entry, Group } from './event-groups.ts';
import type { EventTail } from './event-tail.ts';
import type { EventLimits } from './run-events.ts';
import { createSubscriberQueue, LAGGED } from './subscriber-queue.ts';

const PAGE = 500;

export interface LogEventsDeps {
  db: Db;
  tail: EventTail;
  dagNames: DagNames;
  limits: EventLimits;
}

/** Where a subscriber begins. `isKnown` false: its cursor is no longer, or was never, in the log. */
export interface Start {
  position: EventCursor;
  isKnown: boolean;
}

export async function readStart(db: Db, after: string | null): Promise<Start> {
  if (after === null) return { position: await readEventsEnd(db), isKnown: true };
  const position = parseEventCursor(after);
  if (!position) throw badInput(`"${after.slice(0, 100)}" is not a cursor of events.`);
  return { position, isKnown: await hasEvent(db, position) };
}

export async function* logEvents(
  { db, tail, dagNames, limits }: LogEventsDeps,
  { group, start }: { group: Group; start: Start },
  signal: AbortSignal,
): AsyncGenerator<StreamItem, void> {
  const queue = createSubscriberQueue<Entry>(limits.queue, signal);
  const { position: joinedAt, leave } = await tail.join(group, queue);
  let last = start.position;

  async function* catchUp(to: EventCursor): AsyncGenerator<StreamItem, void> {
    let read = 0;
    while (compareEventCursors(last, to) < 0 && !signal.aborted) {
      const { rows } = await readEvents(db, { after: last, upTo: to, limit: PAGE });
      read += rows.length;
      if (read > limits.replay) {
        last = to;
        return yield resync(to);
      }
      const names = group.needsDagName ? await dagNames.of(rows.map((row) => row.run_id)) : undefined;
      for (const row of rows) {
        last = cursorOfEvent(row);
        const item = group.select(row, names?.get(row.run_id));
        if (item) yield item;
      }
      // Rows may have been deleted with their DAG
      if (rows.length < PAGE) last = to;
    }
  }

  try {
    if (!start.isKnown) {
      last = joinedAt;
      yield resync(joinedAt);
    }
    yield* catchUp(joinedAt);
    for (;;) {
      const entry = await queue.pull();
      if (entry === null) return;
      // What the tail has passed by now is in the table; what comes later is in the queue again
      if (entry === LAGGED) yield* catchUp(tail.position());
      else if (compareEventCursors(entry.position, last) > 0) {
        last = entry.position;
        yield entry.item;
      }
    }
  } finally {
    leave();
  }
}

const resync = (position: EventCursor): StreamItem => ({
  kind: 'RESYNC',
  cursor: formatEventCursor(position),
  at: new Date(),
  runId: null,
  body: null,
});

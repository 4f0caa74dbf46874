/** The events of one run: first what the table holds after the cursor, then what the tail brings, each once and in order. */
import type { Db } from '#db/client.ts';
import { readEventSeq } from '#db/queries/dag-runs.ts';
import { readRunEvents } from '#db/queries/events.ts';
import type { StreamItem } from '#schema/event-streams.ts';
import { runGroup, type Entry } from './event-groups.ts';
import type { EventTail } from './event-tail.ts';
import type { RecentEvents } from './recent-events.ts';
import { createSubscriberQueue, LAGGED } from './subscriber-queue.ts';

export interface EventLimits {
  /** Events that wait for one subscriber. */
  queue: number;
  /** Rows read again for one subscriber; from there on a snapshot is cheaper. */
  replay: number;
}

export interface RunEventsDeps {
  db: Db;
  tail: EventTail;
  recent: RecentEvents;
  limits: EventLimits;
}

const PAGE = 500;

export async function* runEvents(
  { db, tail, recent, limits }: RunEventsDeps,
  { runId, after }: { runId: number; after: number },
  signal: AbortSignal,
): AsyncGenerator<StreamItem, void> {
  const queue = createSubscriberQueue<Entry>(limits.queue, signal);
  const { leave } = await tail.join(runGroup(runId, recent), queue);
  let last = after;

  /** From the table, up to `to` (a run_seq that has been committed) or to the run's end of now. */
  async function* catchUp(to?: number): AsyncGenerator<StreamItem, void> {
    const end = to ?? (await readEventSeq(db, runId));
    if (end === null) return;
    if (end - last > limits.replay || last > end) {
      last = end;
      return yield resync(runId, end);
    }
    while (last < end && !signal.aborted) {
      const upTo = Math.min(end, last + PAGE);
      const items = recent.between(runId, last + 1, upTo) ?? (await read(last, upTo));
      if (!items) {
        last = end;
        return yield resync(runId, end);
      }
      for (const item of items) {
        last++;
        yield item;
      }
    }
  }

  /** Dense by run_seq: a hole (undefined) means that the log no longer reaches back so far. */
  async function read(from: number, upTo: number): Promise<StreamItem[] | undefined> {
    const rows = await readRunEvents(db, { runId, after: from, upTo, limit: PAGE });
    return rows.length === upTo - from ? rows.map(recent.itemOf) : undefined;
  }

  try {
    yield* catchUp();
    for (;;) {
      const entry = await queue.pull();
      if (entry === null) return;
      if (entry === LAGGED) yield* catchUp();
      else if (entry.runSeq > last) {
        // By xid a later row of the run can come first; those between are committed and in the table
        if (entry.runSeq > last + 1) yield* catchUp(entry.runSeq - 1);
        last = entry.runSeq;
        yield entry.item;
      }
    }
  } finally {
    leave();
  }
}

const resync = (runId: number, seq: number): StreamItem => ({
  kind: 'RESYNC',
  cursor: String(seq),
  at: new Date(),
  runId,
  body: null,
});

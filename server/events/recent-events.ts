/**
 * What lately happened in runs that somebody follows, as the objects that their followers got. A thousand who lost their connections
 * together read it from the table once, and what is made of an object for one of them is there for all.
 */
import type { EventRow } from '#db/queries/events.ts';
import type { StreamItem } from '#schema/event-streams.ts';

const MOST = 5_000;

export interface RecentEvents {
  /** The one object of this row. */
  itemOf(row: EventRow): StreamItem;
  /** From `first` to `last`, both included; undefined: not all of them are here. */
  between(runId: number, first: number, last: number): StreamItem[] | undefined;
  /** The database may be another one than before: a standby that does not have the last of them. */
  clear(): void;
}

export function createRecentEvents(most = MOST): RecentEvents {
  /** By run and run_seq, the oldest to come first. */
  const items = new Map<string, StreamItem>();

  return {
    itemOf(row) {
      const key = `${row.run_id}.${row.run_seq}`;
      const known = items.get(key);
      if (known) return known;
      const cursor = String(row.run_seq);
      const item: StreamItem = { kind: 'CHANGE', cursor, at: row.at, runId: row.run_id, body: row.body };
      items.set(key, item);
      if (items.size > most) items.delete(items.keys().next().value!);
      return item;
    },
    between(runId, first, last) {
      const found: StreamItem[] = [];
      for (let seq = first; seq <= last; seq++) {
        const item = items.get(`${runId}.${seq}`);
        if (!item) return undefined;
        found.push(item);
      }
      return found;
    },
    clear: () => items.clear(),
  };
}

/** Who gets which event. Subscribers that want the same make one group, and all of a group get the very same object. */
import { cursorOfEvent, formatEventCursor, type EventCursor, type EventRow } from '#db/queries/events.ts';
import type { EventFilter, StreamItem } from '#schema/event-streams.ts';
import type { RecentEvents } from './recent-events.ts';
import type { SubscriberQueue } from './subscriber-queue.ts';

/** An event on its way to a subscriber, with its place in both orders. */
export interface Entry {
  runSeq: number;
  position: EventCursor;
  item: StreamItem;
}

/** What a row is for a group; null: nothing. */
export type Select = (row: EventRow, dagName: string | undefined) => StreamItem | null;

export interface Group {
  key: string;
  /** Set for the groups of one run: rows of others are not even looked at. */
  runId: number | null;
  /** `select` wants the name of the row's DAG. */
  needsDagName: boolean;
  select: Select;
}

const globalChange = (row: EventRow): StreamItem => ({
  kind: 'CHANGE',
  cursor: formatEventCursor(cursorOfEvent(row)),
  at: row.at,
  runId: row.run_id,
  body: row.body,
});

export const runGroup = (runId: number, recent: RecentEvents): Group => ({
  key: `run ${runId}`,
  runId,
  needsDagName: false,
  select: recent.itemOf,
});

/** Without the transitions of tasks. */
export const DAG_CHANGES: Group = {
  key: 'dags',
  runId: null,
  needsDagName: false,
  select: (row) => (row.body.run || row.body.dag ? globalChange(row) : null),
};

export function filterGroup({ dagIds, runId, states }: EventFilter): Group {
  const names = dagIds && new Set(dagIds);
  const wanted = states && new Set(states);
  return {
    key: `events ${JSON.stringify([dagIds && [...dagIds].sort(), runId, states && [...states].sort()])}`,
    runId: runId ?? null,
    needsDagName: !!names,
    select(row, dagName) {
      if (runId != null && row.run_id !== runId) return null;
      if (names && (dagName === undefined || !names.has(dagName))) return null;
      if (!wanted) return globalChange(row);
      const t = row.body.t?.filter(([, , state]) => wanted.has(state)) ?? [];
      return t.length > 0 ? globalChange({ ...row, body: { ...row.body, t } }) : null;
    },
  };
}

export interface EventGroups {
  add(group: Group, queue: SubscriberQueue<Entry>): () => void;
  needsDagNames(): boolean;
  isEmpty(): boolean;
  push(row: EventRow, dagName: string | undefined): void;
}

interface Members {
  group: Group;
  queues: Set<SubscriberQueue<Entry>>;
}

export function createEventGroups(): EventGroups {
  const all = new Map<string, Members>();
  const ofRun = new Map<number, Set<Members>>();
  const ofAnyRun = new Set<Members>();

  const shelf = (runId: number | null): Set<Members> => {
    if (runId === null) return ofAnyRun;
    const found = ofRun.get(runId) ?? new Set();
    ofRun.set(runId, found);
    return found;
  };

  const remove = (members: Members) => {
    const { key, runId } = members.group;
    all.delete(key);
    ofAnyRun.delete(members);
    if (runId === null) return;
    const others = ofRun.get(runId);
    others?.delete(members);
    if (others?.size === 0) ofRun.delete(runId);
  };

  const pushTo = ({ group, queues }: Members, row: EventRow, dagName: string | undefined) => {
    const item = group.select(row, dagName);
    if (!item) return;
    const entry = { runSeq: row.run_seq, position: cursorOfEvent(row), item };
    for (const queue of queues) queue.push(entry);
  };

  return {
    add(group, queue) {
      const members = all.get(group.key) ?? { group, queues: new Set() };
      all.set(group.key, members);
      shelf(group.runId).add(members);
      members.queues.add(queue);
      return () => {
        members.queues.delete(queue);
        if (members.queues.size === 0) remove(members);
      };
    },
    needsDagNames: () => [...all.values()].some(({ group }) => group.needsDagName),
    isEmpty: () => all.size === 0,
    push(row, dagName) {
      for (const members of ofRun.get(row.run_id) ?? []) pushTo(members, row, dagName);
      for (const members of ofAnyRun) pushTo(members, row, dagName);
    },
  };
}

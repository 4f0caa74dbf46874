import {
  cursorOfEvent,
  EVENT_ORIGIN,
  formatEventCursor,
  parseEventCursor,
  readEvents,
  readEventsEnd,
  readRunEvents,
  type EventRow,
} from '#db/queries/events.ts';
import { builder } from '../builder.ts';
import { parseInteger } from '../connection.ts';
import type { Context } from '../context.ts';
import { TaskStateEnum } from '../enums.ts';
import { badInput, notFound } from '../errors.ts';
import type { StreamItem } from '../event-streams.ts';
import { parseNumericId } from '../global-id.ts';
import { DagChangeType, EventType, RunEventType } from './message.ts';

const EventPage = builder.objectRef<{ events: StreamItem[]; cursor: string; hasMore: boolean }>('EventPage').implement({
  description: 'A piece of the event log, oldest first.',
  authScopes: { read: true },
  fields: (t) => ({
    events: t.field({
      type: [EventType],
      complexity: { field: 1, multiplier: 50 },
      description: 'In order.',
      resolve: (page) => page.events,
    }),
    cursor: t.exposeString('cursor', { description: 'Read on, or subscribe, with it as `after`.' }),
    hasMore: t.exposeBoolean('hasMore', { description: 'More can be read now.' }),
  }),
});

const toItem = (row: EventRow): StreamItem => ({
  kind: 'CHANGE',
  cursor: formatEventCursor(cursorOfEvent(row)),
  at: row.at,
  runId: row.run_id,
  body: row.body,
});

const MOST_EVENTS = 500;

async function eventPage(ctx: Context, args: { runId?: string | null; after?: string | null; first: number }) {
  if (args.first < 1 || args.first > MOST_EVENTS)
    throw badInput(`events: first is from 1 to ${MOST_EVENTS}, not ${args.first}.`);
  const after = args.after == null ? EVENT_ORIGIN : parseEventCursor(args.after);
  if (!after) throw badInput(`"${args.after}" is not a cursor of events.`);
  const limit = args.first + 1;
  const runId = args.runId == null ? null : (parseNumericId('DagRun', args.runId) ?? 0);
  const rows =
    runId === null
      ? (await readEvents(ctx.db, { after, limit })).rows
      : await readRunEvents(ctx.db, { runId, after: after.runSeq, limit });
  const events = rows.slice(0, args.first).map(toItem);
  return { events, cursor: events.at(-1)?.cursor ?? formatEventCursor(after), hasMore: rows.length > args.first };
}

builder.queryFields((t) => ({
  events: t.field({
    type: EventPage,
    authScopes: { read: true },
    complexity: ({ first }) => ({ field: 1, multiplier: Math.max(1, first / 50) }),
    description: 'The event log, of one run or of everything, oldest first.',
    args: {
      runId: t.arg.id({ description: 'Only of this run: its bare or global id.' }),
      after: t.arg.string({ description: 'Go on behind this cursor; from the start when absent.' }),
      first: t.arg.int({ required: true, description: `From 1 to ${MOST_EVENTS}.` }),
    },
    resolve: (_root, args, ctx) => eventPage(ctx, args),
  }),
  eventCursor: t.string({
    authScopes: { read: true },
    description:
      'Where the event log ends now. Ask for it before a snapshot, then pass it as `after` to dagEvents or events.',
    resolve: async (_root, _args, ctx) => formatEventCursor(await readEventsEnd(ctx.db)),
  }),
}));

const EventFilterInput = builder.inputType('EventFilter', {
  description: 'Which events to send; all conditions that are given must hold.',
  fields: (t) => ({
    dagIds: t.stringList({ description: 'Only of these DAGs, by name; at most 100.' }),
    runId: t.id({ description: 'Only of this run.' }),
    states: t.field({ type: [TaskStateEnum], description: 'Only transitions into these states.' }),
  }),
});

const after = 'Go on behind this cursor: nothing is missed or repeated. From now on when absent.';

builder.subscriptionFields((t) => ({
  dagRunEvents: t.field({
    type: RunEventType,
    authScopes: { read: true },
    description: 'All that happens in one run.',
    args: {
      runId: t.arg.id({ required: true, description: 'Its bare or its global id.' }),
      after: t.arg.string({ description: `${after} DagRun.cursor of a snapshot, or the cursor of the last message.` }),
    },
    subscribe: async (_root, args, ctx) => {
      const seq = args.after == null ? null : parseInteger(args.after);
      if (seq === undefined) throw badInput(`"${args.after}" is not a cursor of a run.`);
      const stream = await ctx.events.runEvents(parseNumericId('DagRun', args.runId) ?? 0, seq);
      if (!stream) throw notFound(`run "${args.runId}"`);
      return stream;
    },
    resolve: (item) => item,
  }),
  dagEvents: t.field({
    type: DagChangeType,
    authScopes: { read: true },
    description: 'Runs made and changed, DAGs deployed, paused and deleted.',
    args: { after: t.arg.string({ description: after }) },
    subscribe: (_root, args, ctx) => ctx.events.dagEvents(args.after ?? null),
    resolve: (item) => item,
  }),
  events: t.field({
    type: EventType,
    authScopes: { read: true },
    description: 'The event log as it grows.',
    args: {
      filter: t.arg({ type: EventFilterInput, description: 'Which ones; all when absent.' }),
      after: t.arg.string({ description: after }),
    },
    subscribe: (_root, { filter, after: cursor }, ctx) => {
      if ((filter?.dagIds?.length ?? 0) > 100) throw badInput('filter.dagIds: at most 100 names.');
      const runId = filter?.runId == null ? null : (parseNumericId('DagRun', filter.runId) ?? 0);
      return ctx.events.events(
        { dagIds: filter?.dagIds ?? null, states: filter?.states ?? null, runId },
        cursor ?? null,
      );
    },
    resolve: (item) => item,
  }),
}));

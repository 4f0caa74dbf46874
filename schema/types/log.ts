import { builder } from '../builder.ts';
import { LogStreamEnum } from '../enums.ts';
import { badInput, notFound } from '../errors.ts';
import { parseTaskInstanceId } from '../global-id.ts';
import type { LogLine, LogPage } from '../log-page.ts';
import type { LogHit, LogHits, LogPlace } from '../log-reader.ts';

export const MOST_LOG_LINES = 5_000;

const LogLineType = builder.objectRef<LogLine>('LogLine').implement({
  description: 'One line of a task’s log.',
  authScopes: { read: true },
  fields: (t) => ({
    offset: t.exposeFloat('offset', { description: 'Bytes from the start of the try’s log to this line.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was written, by the worker’s clock.' }),
    stream: t.expose('stream', { type: LogStreamEnum, description: 'Who wrote it.' }),
    text: t.exposeString('text', { description: 'Without its line end; may hold ANSI colour codes.' }),
  }),
});

export const LogPageType = builder.objectRef<LogPage>('LogPage').implement({
  description: 'A piece of the log of one try.',
  authScopes: { read: true },
  fields: (t) => ({
    // A line is a few bytes of text: priced by the piece, a full page would be over the limit
    lines: t.field({
      type: [LogLineType],
      complexity: { field: 10, multiplier: 20 },
      description: 'In order.',
      resolve: (page) => page.lines,
    }),
    nextOffset: t.exposeFloat('nextOffset', { description: 'Pass it as `offset` or `after` to read on.' }),
    complete: t.exposeBoolean('complete', { description: 'The try has ended and nothing follows.' }),
  }),
});

export const MOST_LOG_HITS = 500;
export const MOST_LOG_CONTEXT = 20;

const LogHitType = builder.objectRef<LogHit>('LogHit').implement({
  description: 'A line that holds what was searched for.',
  authScopes: { read: true },
  fields: (t) => ({
    lineNumber: t.exposeFloat('lineNumber', { description: 'In the log of the try, from 1.' }),
    line: t.field({ type: LogLineType, description: 'The line.', resolve: (hit) => hit.line }),
    before: t.field({ type: [LogLineType], description: 'Lines right before it.', resolve: (hit) => hit.before }),
    after: t.field({ type: [LogLineType], description: 'Lines right after it.', resolve: (hit) => hit.after }),
  }),
});

export const LogHitsType = builder.objectRef<LogHits>('LogHits').implement({
  description: 'What a search has found in the log of one try, as far as it has come.',
  authScopes: { read: true },
  fields: (t) => ({
    hits: t.field({
      type: [LogHitType],
      complexity: { field: 10, multiplier: 5 },
      description: 'In order.',
      resolve: (found) => found.hits,
    }),
    cursor: t.string({
      nullable: true,
      description:
        'Pass it as `after` to search on; null: all that is there has been searched. There may be one without a hit: the work of one request is bounded.',
      resolve: ({ next }) => next && `${next.offset}.${next.line}`,
    }),
  }),
});

/** Where a search goes on, from its cursor. */
export function parseLogPlace(cursor: string | null | undefined): LogPlace {
  if (cursor == null) return { offset: 0, line: 0 };
  const [, offset, line] = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor) ?? [];
  if (offset === undefined) throw badInput(`"${cursor.slice(0, 100)}" is not a cursor of a search.`);
  return { offset: Number(offset), line: Number(line) };
}

builder.subscriptionField('taskLog', (t) =>
  t.field({
    type: LogPageType,
    authScopes: { read: true },
    description: 'Follows the log of one try; completes at its end.',
    args: {
      taskInstanceId: t.arg.id({ required: true, description: 'Global id.' }),
      try: t.arg.int({ description: 'Which try; the newest when absent.' }),
      after: t.arg.float({ description: 'Bytes already seen (`nextOffset`); all of the log when absent.' }),
    },
    subscribe: async (_root, args, ctx) => {
      const task = parseTaskInstanceId(args.taskInstanceId);
      if (!task) throw notFound(`task instance "${args.taskInstanceId}"`);
      return ctx.events.taskLog(task, args.try ?? null, parseOffset(args.after));
    },
    resolve: (page) => page,
  }),
);

/** Bytes. */
export function parseOffset(offset: number | null | undefined): number {
  if (offset == null) return 0;
  if (!Number.isSafeInteger(offset) || offset < 0) throw badInput(`An offset is a count of bytes, not ${offset}.`);
  return offset;
}

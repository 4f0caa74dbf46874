import { builder } from '../builder.ts';
import { LogStreamEnum } from '../enums.ts';
import { badInput, notFound } from '../errors.ts';
import { parseTaskInstanceId } from '../global-id.ts';
import type { LogLine, LogPage } from '../log-page.ts';

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

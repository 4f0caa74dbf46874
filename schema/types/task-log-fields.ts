/** What can be asked of the logs of a task instance. */
import { findLogSource } from '#db/queries/log.ts';
import type { TaskInstanceRow } from '#db/queries/task-instances.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { badInput } from '../errors.ts';
import type { LogHits, LogSearchRequest } from '../log-reader.ts';
import { taskKeyOf } from '../task-key.ts';
import { findLogTail, readLogPage } from '../read-log-page.ts';
import {
  LogHitsType,
  LogPageType,
  MOST_LOG_CONTEXT,
  MOST_LOG_HITS,
  MOST_LOG_LINES,
  parseLogPlace,
  parseOffset,
} from './log.ts';
import { TaskInstanceNode } from './task-instance.ts';

/** A number of things from 1 to the most that one answer holds. */
function count(what: string, value: number, most: number, least = 1): number {
  if (value < least || value > most) throw badInput(`${what} is from ${least} to ${most}, not ${value}.`);
  return value;
}

builder.objectField(TaskInstanceNode, 'log', (t) =>
  t.field({
    type: LogPageType,
    complexity: 50,
    description: 'A piece of the log of one try. Empty and incomplete before the try starts.',
    args: {
      try: t.arg.int({ description: 'Which try; the newest when absent.' }),
      offset: t.arg.float({ description: 'Bytes from the start of the log; from its first line when absent.' }),
      tail: t.arg.int({ description: 'From so many lines before its end. Not together with `offset`.' }),
      limit: t.arg.int({ defaultValue: 1_000, description: `Most lines, up to ${MOST_LOG_LINES}.` }),
    },
    resolve: async (row, args, ctx) => {
      const limit = count('log: limit', args.limit ?? 1_000, MOST_LOG_LINES);
      if (args.tail != null && args.offset != null) throw badInput('log: either `offset` or `tail`, not both.');
      const tail = args.tail == null ? null : count('log: tail', args.tail, MOST_LOG_LINES);
      const at = { tryNumber: args.try ?? null, offset: parseOffset(args.offset) };
      const position = tail === null ? at : await findLogTail(ctx, taskKeyOf(row), at.tryNumber, tail);
      const page = await readLogPage(ctx, taskKeyOf(row), { ...position, limit });
      return page ?? { lines: [], nextOffset: position.offset, complete: false };
    },
  }),
);

builder.objectField(TaskInstanceNode, 'logSearch', (t) =>
  t.field({
    type: LogHitsType,
    complexity: 100,
    description: 'Lines of the log of one try that hold a text.',
    args: {
      try: t.arg.int({ description: 'Which try; the newest when absent.' }),
      text: t.arg.string({ required: true, description: 'What the line holds, as it is: no pattern.' }),
      caseSensitive: t.arg.boolean({ defaultValue: false, description: 'Large and small letters are different.' }),
      context: t.arg.int({ defaultValue: 0, description: `Lines around each hit, up to ${MOST_LOG_CONTEXT}.` }),
      limit: t.arg.int({ defaultValue: 100, description: `Most hits, up to ${MOST_LOG_HITS}.` }),
      after: t.arg.string({ description: 'The cursor of the search so far.' }),
    },
    resolve: (row, args, ctx) => {
      if (args.text.trim() === '' || args.text.length > 1_000 || /[\n\r]/.test(args.text))
        throw badInput('logSearch: text is of 1 to 1,000 characters within one line.');
      return searchTry(ctx, row, args.try ?? null, {
        text: args.text,
        isCaseSensitive: args.caseSensitive ?? false,
        from: parseLogPlace(args.after),
        limit: count('logSearch: limit', args.limit ?? 100, MOST_LOG_HITS),
        context: count('logSearch: context', args.context ?? 0, MOST_LOG_CONTEXT, 0),
      });
    },
  }),
);

async function searchTry(
  ctx: Context,
  row: TaskInstanceRow,
  tryNumber: number | null,
  request: LogSearchRequest,
): Promise<LogHits> {
  const task = taskKeyOf(row);
  const source = await findLogSource(ctx.db, task, tryNumber);
  if (!source?.dispatchId) return { hits: [], next: null };
  return ctx.logs.search({ runId: task.runId, uuid: source.dispatchId }, request);
}

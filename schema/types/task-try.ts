import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { findRendered, type RenderedFields } from '#db/queries/rendered-fields.ts';
import { findLogStores } from '#db/queries/log-stores.ts';
import type { TaskTryRow } from '#db/queries/task-tries.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { TaskStateEnum } from '../enums.ts';
import { WorkerNode } from './worker.ts';

const renderedFields = createContextCache(
  (ctx: Context) =>
    new DataLoader<{ runId: number; dispatchId: string }, RenderedFields | null, string>(
      (keys) => findRendered(ctx.db, keys),
      { cacheKeyFn: ({ dispatchId }) => dispatchId },
    ),
);

const logStores = createContextCache(
  (ctx: Context) =>
    new DataLoader<{ runId: number; dispatchId: string }, string | null, string>(
      (keys) => findLogStores(ctx.db, keys),
      { cacheKeyFn: ({ dispatchId }) => dispatchId },
    ),
);

/** What the templates of a try came to; null where it has none. */
export const renderedOf = (ctx: Context, row: TaskTryRow): Promise<RenderedFields | null> | null =>
  row.dispatch_id === null ? null : renderedFields(ctx).load({ runId: row.run_id, dispatchId: row.dispatch_id });

export const TaskTryType = builder.objectRef<TaskTryRow>('TaskTry').implement({
  description: 'One finished attempt of a task instance.',
  authScopes: { read: true },
  fields: (t) => ({
    tryNumber: t.exposeInt('try_number', { description: 'Counts from 1.' }),
    outcome: t.expose('outcome', { type: TaskStateEnum, description: 'How it ended.' }),
    cause: t.exposeString('cause', {
      nullable: true,
      description: 'Why, from a closed list: ok, exit_code, exception, oom_killed, timeout, lease_expired, …',
    }),
    exitCode: t.exposeInt('exit_code', { nullable: true, description: 'Of the process, where there was one.' }),
    message: t.exposeString('message', { nullable: true, description: 'One or two lines for people.' }),
    evidence: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Facts behind the cause: signal, limits, peak memory, stack.',
      resolve: (row) => row.evidence,
    }),
    rendered: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What its templates came to: text by field, secrets hidden, long ones cut. Null: it has none.',
      resolve: (row, _args, ctx) => renderedOf(ctx, row),
    }),
    queuedAt: t.expose('queued_at', { type: 'DateTime', nullable: true, description: 'When it might have started.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', nullable: true, description: 'When a worker took it.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', description: 'When its end was recorded.' }),
    logBytes: t.float({
      description: 'Length of its log in bytes, as its runner counted.',
      resolve: (row) => row.log_bytes,
    }),
    logStore: t.string({
      nullable: true,
      description: 'The log store that its log has moved to; null: it is in Postgres.',
      resolve: (row, _args, ctx) =>
        row.dispatch_id === null ? null : logStores(ctx).load({ runId: row.run_id, dispatchId: row.dispatch_id }),
    }),
    worker: t.field({
      type: WorkerNode,
      nullable: true,
      description: 'Who ran it; null when it was never launched.',
      resolve: (row) => (row.worker_id === null ? null : String(row.worker_id)),
    }),
  }),
});

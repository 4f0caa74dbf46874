import {
  findBulkJobs,
  listBulkJobs,
  listJobItems,
  readJobProgress,
  type BulkJobRow,
  type JobItemRow,
} from '#db/queries/bulk-job.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger, parsePlace } from '../connection.ts';
import type { Context } from '../context.ts';
import { notFound } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { loadById } from '../load-by-id.ts';
import { DagRunNode } from './dag-run.ts';

export const BulkActionEnum = builder.enumType('BulkAction', {
  description: 'What is done to each run.',
  values: {
    CLEAR: { value: 'clear', description: 'Tasks run again.' },
    MARK: { value: 'mark', description: 'Tasks are taken as finished.' },
    CANCEL: { value: 'cancel', description: 'The run is cancelled.' },
  } as const,
});

const BulkJobStateEnum = builder.enumType('BulkJobState', {
  description: 'Where a bulk job stands.',
  values: {
    RUNNING: { value: 'running', description: 'It is on its way.' },
    CANCELLED: { value: 'cancelled', description: 'A person stopped it; what was done stays done.' },
    COMPLETED: { value: 'completed', description: 'All runs were looked at.' },
  } as const,
});

const BulkJobItemType = builder.objectRef<JobItemRow>('BulkJobItem').implement({
  description: 'One run of a bulk job.',
  authScopes: { read: true },
  fields: (t) => ({
    outcome: t.exposeString('outcome', { nullable: true, description: 'done, refused or cancelled; null: not yet.' }),
    message: t.exposeString('message', { nullable: true, description: 'Why it was refused.' }),
    dagRun: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'The run; null when it is gone.',
      resolve: (item) => String(item.run_id),
    }),
  }),
});

export const BulkJobNode = builder.loadableNode('BulkJob', {
  description: 'Something done to many runs, one after the other, by the service.',
  authScopes: { read: true },
  id: { resolve: (job: BulkJobRow) => job.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findBulkJobs(ctx.db, known)),
  fields: (t) => ({
    jobId: t.string({ description: 'The bare id.', resolve: ({ id }) => String(id) }),
    action: t.field({
      type: BulkActionEnum,
      description: 'What is done.',
      resolve: ({ action }) => action as 'clear',
    }),
    state: t.field({
      type: BulkJobStateEnum,
      description: 'Where it stands.',
      resolve: ({ state }) => state as 'running',
    }),
    total: t.exposeInt('total', { description: 'How many runs it is about.' }),
    createdBy: t.exposeString('created_by', { description: 'Who asked for it.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', nullable: true, description: 'When it was through.' }),
    items: t.connection({
      type: BulkJobItemType,
      complexity: pageComplexity,
      description: 'Its runs.',
      args: { refused: t.arg.boolean({ defaultValue: false, description: 'Only those that were refused.' }) },
      resolve: ({ id }, args, ctx) =>
        keysetConnection(args, {
          toKey: (item: JobItemRow) => item.seq,
          parseKey: parsePlace,
          load: (page) => listJobItems(ctx.db, id, args.refused ?? false, page),
        }),
    }),
  }),
});

const count = (name: 'done' | 'refused' | 'cancelled', description: string) =>
  builder.objectField(BulkJobNode, name, (t) =>
    t.loadable({
      type: 'Int',
      description,
      load: async (ids: number[], ctx) => {
        const found = await readJobProgress(ctx.db, ids);
        return ids.map((id) => found.get(id)?.[name] ?? 0);
      },
      resolve: ({ id }) => id,
    }),
  );
count('done', 'Runs that it was done to.');
count('refused', 'Runs that it could not be done to.');
count('cancelled', 'Runs that were left when the job was cancelled.');

builder.queryFields((t) => ({
  bulkJob: t.field({
    type: BulkJobNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A bulk job; null when there is none.',
    args: { jobId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: async (_root, { jobId }, ctx) => {
      const id = parseNumericId('BulkJob', jobId);
      return id === undefined ? null : (await findBulkJobs(ctx.db, [id]))[0];
    },
  }),
  bulkJobs: t.connection({
    type: BulkJobNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Bulk jobs, newest first.',
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (job: BulkJobRow) => job.id,
        parseKey: parseInteger,
        load: (page) => listBulkJobs(ctx.db, page),
      }),
  }),
}));

builder.subscriptionField('bulkJobProgress', (t) =>
  t.field({
    type: BulkJobNode,
    authScopes: { read: true },
    description:
      'A bulk job as it stands, now and each time it has moved. Subscribe again at any time: each message is complete.',
    args: { jobId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    subscribe: async (_root, { jobId }, ctx) => {
      const id = parseNumericId('BulkJob', jobId);
      if (id === undefined || (await findBulkJobs(ctx.db, [id])).length === 0) throw notFound(`bulk job "${jobId}"`);
      return ctx.events.jobChanges(`bulk ${id}`);
    },
    resolve: (_item, { jobId }) => String(parseNumericId('BulkJob', jobId)),
  }),
);

import { REPROCESS } from '#sdk/backfill.ts';
import {
  findBackfills,
  listBackfillDates,
  listBackfills,
  readProgress,
  type BackfillDateRow,
  type BackfillProgress,
  type BackfillRow,
} from '#db/queries/backfill.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger, parsePlace } from '../connection.ts';
import type { Context } from '../context.ts';
import { NotFoundError, notFound } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { loadById } from '../load-by-id.ts';
import { DagRunNode } from './dag-run.ts';
import { DagNode } from './dag.ts';

export const ReprocessEnum = builder.enumType('Reprocess', {
  description: 'Which dates that have a run already get another one. A run under way is never doubled.',
  values: {
    NONE: { value: REPROCESS[0], description: 'None.' },
    FAILED: { value: REPROCESS[1], description: 'Those whose newest run failed or was cancelled.' },
    COMPLETED: { value: REPROCESS[2], description: 'All whose newest run has ended.' },
  } as const,
});

const BackfillStateEnum = builder.enumType('BackfillState', {
  description: 'Where a backfill stands.',
  values: {
    RUNNING: { value: 'running', description: 'Dates get their runs, as far as its limit allows.' },
    PAUSED: { value: 'paused', description: 'No further date gets a run; those that have one go on.' },
    CANCELLED: { value: 'cancelled', description: 'Its runs are cancelled, no further date gets one.' },
    COMPLETED: { value: 'completed', description: 'The runs of all dates have ended.' },
  } as const,
});

const ProgressType = builder.objectRef<BackfillProgress>('BackfillProgress').implement({
  description: 'How many dates stand where.',
  authScopes: { read: true },
  fields: (t) => ({
    total: t.exposeInt('total', { description: 'All.' }),
    pending: t.exposeInt('pending', { description: 'Have no run yet.' }),
    running: t.exposeInt('running', { description: 'Their run is queued or running.' }),
    success: t.exposeInt('success', { description: 'Their run succeeded.' }),
    failed: t.exposeInt('failed', { description: 'Their run failed.' }),
    cancelled: t.exposeInt('cancelled', { description: 'Their run was cancelled, or they were before they had one.' }),
    skipped: t.exposeInt('skipped', { description: 'Had a run already, or have one under way.' }),
  }),
});

const BackfillDateType = builder.objectRef<BackfillDateRow>('BackfillDate').implement({
  description: 'One date of a backfill.',
  authScopes: { read: true },
  fields: (t) => ({
    logicalDate: t.expose('logical_date', { type: 'DateTime', description: 'The date.' }),
    dataIntervalStart: t.expose('interval_start', { type: 'DateTime', description: 'Start of the data it covers.' }),
    dataIntervalEnd: t.expose('interval_end', { type: 'DateTime', description: 'End of the data it covers.' }),
    outcome: t.exposeString('outcome', {
      nullable: true,
      description: 'success, failed, cancelled or skipped; null: it is on its way.',
    }),
    dagRun: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'Its run; of a skipped date the run that was there. Null: none yet.',
      resolve: (date) => (date.run_id === null ? null : String(date.run_id)),
    }),
  }),
});

export const BackfillNode = builder.loadableNode('Backfill', {
  description: 'A range of dates that is run, for the first time or again.',
  authScopes: { read: true },
  id: { resolve: (backfill: BackfillRow) => backfill.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findBackfills(ctx.db, known)),
  fields: (t) => ({
    backfillId: t.string({ description: 'The bare id.', resolve: ({ id }) => String(id) }),
    state: t.field({
      type: BackfillStateEnum,
      description: 'Where it stands.',
      resolve: ({ state }) => state as 'running',
    }),
    from: t.expose('from_date', { type: 'DateTime', description: 'The first date, included.' }),
    to: t.expose('to_date', { type: 'DateTime', description: 'The last date, included.' }),
    reprocess: t.field({
      type: ReprocessEnum,
      description: 'What becomes of dates that have a run.',
      resolve: ({ reprocess }) => reprocess as 'none',
    }),
    maxActiveRuns: t.exposeInt('max_active_runs', {
      description: 'Most of its runs at once, apart from the DAG’s own limit.',
    }),
    backwards: t.exposeBoolean('backwards', { description: 'The newest date comes first.' }),
    conf: t.field({ type: 'JSON', description: 'What each run is given.', resolve: ({ conf }) => conf ?? {} }),
    note: t.exposeString('note', { nullable: true, description: 'What it is for.' }),
    createdBy: t.exposeString('created_by', { description: 'Who asked for it.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', nullable: true, description: 'When its last run had ended.' }),
    dag: t.field({ type: DagNode, description: 'Its DAG.', resolve: (backfill) => String(backfill.dag_id) }),
    progress: t.loadable({
      type: ProgressType,
      description: 'How far it is.',
      load: async (ids: number[], ctx) => {
        const found = await readProgress(ctx.db, ids);
        return ids.map((id) => found.get(id) ?? NOTHING);
      },
      resolve: ({ id }) => id,
    }),
    dates: t.connection({
      type: BackfillDateType,
      complexity: pageComplexity,
      description: 'Its dates, in the order in which they are run.',
      resolve: ({ id }, args, ctx) =>
        keysetConnection(args, {
          toKey: (date: BackfillDateRow) => date.seq,
          parseKey: parsePlace,
          load: (page) => listBackfillDates(ctx.db, id, page),
        }),
    }),
  }),
});

const NOTHING = { total: 0, pending: 0, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 };

export async function requireBackfill(ctx: Context, id: string): Promise<BackfillRow> {
  const number = parseNumericId('Backfill', id);
  const [row] = number === undefined ? [] : await findBackfills(ctx.db, [number]);
  if (!row) throw new NotFoundError(`backfill "${id}"`);
  return row;
}

builder.queryFields((t) => ({
  backfill: t.field({
    type: BackfillNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A backfill; null when there is none.',
    args: { backfillId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: async (_root, { backfillId }, ctx) => {
      const id = parseNumericId('Backfill', backfillId);
      return id === undefined ? null : (await findBackfills(ctx.db, [id]))[0];
    },
  }),
  backfills: t.connection({
    type: BackfillNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Backfills of one or of all DAGs, newest first.',
    args: { dagId: t.arg.string({ description: 'Only of this DAG.' }) },
    resolve: async (_root, args, ctx) => {
      const dag = args.dagId == null ? null : await findDagByName(ctx.db, args.dagId);
      return keysetConnection(args, {
        toKey: (row: BackfillRow) => row.id,
        parseKey: parseInteger,
        // No DAG has the id 0
        load: (page) => listBackfills(ctx.db, args.dagId == null ? null : (dag?.id ?? 0), page),
      });
    },
  }),
}));

builder.subscriptionField('backfillProgress', (t) =>
  t.field({
    type: BackfillNode,
    authScopes: { read: true },
    description:
      'A backfill as it stands, now and each time it has moved. Subscribe again at any time: each message is complete.',
    args: { backfillId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    subscribe: async (_root, { backfillId }, ctx) => {
      const id = parseNumericId('Backfill', backfillId);
      if (id === undefined || (await findBackfills(ctx.db, [id])).length === 0)
        throw notFound(`backfill "${backfillId}"`);
      return ctx.events.jobChanges(`backfill ${id}`);
    },
    resolve: (_item, { backfillId }) => String(parseNumericId('Backfill', backfillId)),
  }),
);

import { findDagRuns, listDagRuns, type DagRunRow } from '#db/queries/dag-runs.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger, type PageArgs } from '../connection.ts';
import type { Context } from '../context.ts';
import { RunKindEnum, RunStateEnum } from '../enums.ts';
import { NotFoundError } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { loadById } from '../load-by-id.ts';
import type { RunState } from '#sdk/states.ts';

export const DagRunNode = builder.loadableNode('DagRun', {
  description: 'One run of a DAG, pinned to the version it was created with.',
  authScopes: { read: true },
  id: { resolve: (run: DagRunRow) => run.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findDagRuns(ctx.db, known)),
  fields: (t) => ({
    runId: t.string({
      description: 'The bare id: a decimal number that grows with time.',
      resolve: (run) => `${run.id}`,
    }),
    runKey: t.exposeString('run_key', {
      description: 'Unique within the DAG, readable: `scheduled__2026-01-01T00:00:00.000Z`.',
    }),
    kind: t.expose('kind', { type: RunKindEnum, description: 'Where it comes from.' }),
    state: t.expose('state', { type: RunStateEnum, description: 'Where it stands.' }),
    logicalDate: t.expose('logical_date', {
      type: 'DateTime',
      nullable: true,
      description: 'The date it is for, by the timetable or its trigger.',
    }),
    dataIntervalStart: t.expose('interval_start', {
      type: 'DateTime',
      nullable: true,
      description: 'Start of the data it covers.',
    }),
    dataIntervalEnd: t.expose('interval_end', {
      type: 'DateTime',
      nullable: true,
      description: 'End of the data it covers, exclusive.',
    }),
    conf: t.field({ type: 'JSON', description: 'What its trigger gave, an object.', resolve: (run) => run.conf ?? {} }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was created.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', nullable: true, description: 'When it left the queue.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', nullable: true, description: 'When its last task finished.' }),
    triggeredBy: t.exposeString('triggered_by', { nullable: true, description: 'Who or what asked for it.' }),
    endReason: t.exposeString('end_reason', {
      nullable: true,
      description: 'Why it was ended before its tasks were; null: it was not.',
    }),
    cursor: t.string({
      description: 'Pass it as `after` to dagRunEvents: whatever this snapshot does not show yet, follows.',
      resolve: (run) => String(run.event_seq),
    }),
    remaining: t.exposeInt('remaining', { description: 'How many task instances are unfinished.' }),
  }),
});

/** A run by its bare or global id. */
export async function findDagRun(ctx: Context, id: string): Promise<DagRunRow | undefined> {
  const runId = parseNumericId('DagRun', id);
  return runId === undefined ? undefined : (await findDagRuns(ctx.db, [runId]))[0];
}

/** As `findDagRun`, for mutations. */
export async function requireDagRun(ctx: Context, id: string): Promise<DagRunRow> {
  const run = await findDagRun(ctx, id);
  if (!run) throw new NotFoundError(`run "${id}"`);
  return run;
}

export const runConnection = (ctx: Context, args: PageArgs & { state?: RunState | null }, dagId: number | null) =>
  keysetConnection(args, {
    toKey: (run: DagRunRow) => run.id,
    parseKey: parseInteger,
    load: (page) => listDagRuns(ctx.db, { dagId, state: args.state ?? null }, page),
  });

builder.queryFields((t) => ({
  dagRun: t.field({
    type: DagRunNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A run; null when there is none.',
    args: { runId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: (_root, { runId }, ctx) => findDagRun(ctx, runId),
  }),
  dagRuns: t.connection({
    type: DagRunNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Runs of one or of all DAGs, newest first.',
    args: {
      dagId: t.arg.string({ description: 'Only of this DAG.' }),
      state: t.arg({ type: RunStateEnum, description: 'Only in this state.' }),
    },
    resolve: async (_root, args, ctx) => {
      const dag = args.dagId == null ? undefined : await findDagByName(ctx.db, args.dagId);
      // No DAG has the id 0: an unknown name has no runs
      return runConnection(ctx, args, args.dagId == null ? null : (dag?.id ?? 0));
    },
  }),
}));

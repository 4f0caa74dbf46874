import { z } from 'zod';
import { findDagRuns, type DagRunRow } from '#db/queries/dag-runs.ts';
import { findDags } from '#db/queries/dags.ts';
import { intervalOfManualRun } from '#sdk/timetable.ts';
import { builder } from '../builder.ts';
import { checkConf, type Conf } from '../check-conf.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { storableText } from '../storable-text.ts';
import { DagRunNode, requireDagRun } from './dag-run.ts';
import { requireDag } from './dag.ts';

const TriggerDagRunInput = builder.inputType('TriggerDagRunInput', {
  description: 'A run to create.',
  fields: (t) => ({
    dagId: t.string({ required: true, description: 'The DAG’s name.', validate: z.string().min(1).max(200) }),
    conf: t.field({ type: 'JSON', description: 'An object that fits the DAG’s params; at most 64 KiB.' }),
    logicalDate: t.field({
      type: 'DateTime',
      description: 'The date the run is for: `ds` in templates. Now when absent; none when null.',
    }),
    idempotencyKey: t.string({
      description: 'Asking again with the same key gives the same run; 1 to 200 characters.',
      validate: storableText(200).min(1),
    }),
  }),
});

interface TriggerInput {
  dagId: string;
  conf?: unknown;
  logicalDate?: Date | null | undefined;
  idempotencyKey?: string | null | undefined;
}

async function trigger(ctx: Context, input: TriggerInput): Promise<DagRunRow> {
  const row = await requireDag(ctx, input.dagId);
  const versionId = row.version_id ?? 0;
  await ctx.engine.versions.load([versionId]);
  const dag = ctx.engine.versions.get(versionId);
  if (!dag) throw new NotFoundError(`DAG "${input.dagId}"`);
  const conf = input.conf ?? {};
  const issues = checkConf(dag, conf);
  if (issues.length > 0) throw new ValidationError(issues);
  const logicalDate = input.logicalDate === undefined ? new Date() : input.logicalDate;
  const interval = logicalDate && intervalOfManualRun(dag.timetable, logicalDate);
  const [created] = await ctx.engine.createRuns([
    {
      dagId: row.id,
      versionId,
      kind: 'manual',
      logicalDate,
      intervalStart: interval?.start ?? null,
      intervalEnd: interval?.end ?? null,
      conf: conf as Conf,
      triggeredBy: actorOf(ctx),
      idempotencyKey: input.idempotencyKey ?? null,
    },
  ]);
  const [run] = created ? await findDagRuns(ctx.db, [created.runId]) : [];
  if (!run) throw new NotFoundError(`DAG "${input.dagId}"`);
  return run;
}

const RerunDagRunInput = builder.inputType('RerunDagRunInput', {
  description: 'A run to be run once more, as another run of the same date.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Its bare or its global id.' }),
    conf: t.field({ type: 'JSON', description: 'Instead of what it was given; the same when absent.' }),
    latestVersion: t.boolean({
      defaultValue: false,
      description: 'With the DAG as it is now. Otherwise with the version and code that it ran.',
    }),
    idempotencyKey: t.string({
      description: 'Asking again with the same key gives the same run; 1 to 200 characters.',
      validate: storableText(200).min(1),
    }),
  }),
});

async function rerun(ctx: Context, input: typeof RerunDagRunInput.$inferInput): Promise<DagRunRow> {
  const run = await requireDagRun(ctx, input.runId);
  const [row] = await findDags(ctx.db, [run.dag_id]);
  const versionId = (input.latestVersion ? row?.version_id : run.version_id) ?? run.version_id;
  await ctx.engine.versions.load([versionId]);
  const dag = ctx.engine.versions.get(versionId);
  if (!dag) throw new NotFoundError(`run "${input.runId}"`);
  const conf = input.conf ?? run.conf ?? {};
  const issues = checkConf(dag, conf);
  if (issues.length > 0) throw new ValidationError(issues);
  const [created] = await ctx.engine.createRuns([
    {
      dagId: run.dag_id,
      versionId,
      kind: 'manual',
      logicalDate: run.logical_date,
      intervalStart: run.interval_start,
      intervalEnd: run.interval_end,
      conf: conf as Conf,
      triggeredBy: actorOf(ctx),
      idempotencyKey: input.idempotencyKey ?? null,
    },
  ]);
  return requireDagRun(ctx, String(created?.runId));
}

const CancelDagRunInput = builder.inputType('CancelDagRunInput', {
  description: 'Which run to cancel.',
  fields: (t) => ({ runId: t.id({ required: true, description: 'Its bare or its global id.' }) }),
});

async function cancel(ctx: Context, id: string): Promise<DagRunRow> {
  const { id: runId } = await requireDagRun(ctx, id);
  const result = await ctx.engine.cancelRun(runId, actorOf(ctx));
  if (result === 'not_found') throw new NotFoundError(`run "${id}"`);
  if (result === 'finished') throw new ConflictError('RUN_FINISHED', `Run ${runId} has already finished.`);
  return requireDagRun(ctx, String(runId));
}

builder.mutationFields((t) => ({
  triggerDagRun: t.field({
    type: DagRunNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Creates a run of a DAG’s current version. It starts when the DAG’s limits allow.',
    args: { input: t.arg({ type: TriggerDagRunInput, required: true }) },
    resolve: (_root, { input }, ctx) => trigger(ctx, input),
  }),
  rerunDagRun: t.field({
    type: DagRunNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description:
      'Makes another run for the date of this one: with the same version or the newest, with the same conf or another.',
    args: { input: t.arg({ type: RerunDagRunInput, required: true }) },
    resolve: (_root, { input }, ctx) => rerun(ctx, input),
  }),
  cancelDagRun: t.field({
    type: DagRunNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError, ValidationError] },
    description: 'Ends a run: nothing more starts, and what runs is killed.',
    args: { input: t.arg({ type: CancelDagRunInput, required: true }) },
    resolve: (_root, { input }, ctx) => cancel(ctx, input.runId),
  }),
}));

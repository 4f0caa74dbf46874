import { z } from 'zod';
import { decideDate, type DateDecision, type Reprocess } from '#sdk/backfill.ts';
import { runsBetween, type NextRun } from '#sdk/timetable.ts';
import type { CompiledDag } from '#db/engine/compiled-dag.ts';
import {
  createBackfill,
  newestRunsOf,
  setBackfillState,
  type BackfillRow,
  type BackfillState,
} from '#db/queries/backfill.ts';
import type { DagRow } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import { checkConf, type Conf } from '../check-conf.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { storableText } from '../storable-text.ts';
import { BackfillNode, ReprocessEnum, requireBackfill } from './backfill.ts';
import { DagRunNode } from './dag-run.ts';
import { requireDag } from './dag.ts';

const MOST_DATES = 10_000;
const MOST_SHOWN = 1000;

const CreateBackfillInput = builder.inputType('CreateBackfillInput', {
  description: 'Dates to run.',
  fields: (t) => ({
    dagId: t.string({ required: true, description: 'The DAG’s name.', validate: z.string().min(1).max(200) }),
    from: t.field({ type: 'DateTime', required: true, description: 'The first logical date, included.' }),
    to: t.field({ type: 'DateTime', required: true, description: 'The last logical date, included.' }),
    reprocess: t.field({
      type: ReprocessEnum,
      defaultValue: 'none',
      description: 'What becomes of dates that have a run.',
    }),
    maxActiveRuns: t.int({
      defaultValue: 10,
      description: 'Most of its runs at once, from 1 to 1000. The DAG’s own limit does not count them.',
      validate: z.int().min(1).max(1000),
    }),
    backwards: t.boolean({ defaultValue: false, description: 'The newest date first.' }),
    conf: t.field({ type: 'JSON', description: 'What each run is given; fits the DAG’s params.' }),
    note: t.string({ description: 'What it is for.', validate: storableText(2_000) }),
    dryRun: t.boolean({ defaultValue: false, description: 'Only say which dates would be run.' }),
  }),
});

interface PlannedDate {
  run: NextRun;
  decision: DateDecision;
  existing: number | null;
}

const DECISIONS: { [Decision in DateDecision]: string } = {
  create: 'It has no run yet: it gets one.',
  rerun: 'It has a run, and gets another one.',
  exists: 'It has a run, and is left alone.',
  in_flight: 'Its run is queued or running: it is left alone.',
};
const DecisionEnum = builder.enumType('BackfillDecision', {
  description: 'What becomes of a date.',
  values: {
    CREATE: { value: 'create', description: DECISIONS.create },
    RERUN: { value: 'rerun', description: DECISIONS.rerun },
    EXISTS: { value: 'exists', description: DECISIONS.exists },
    IN_FLIGHT: { value: 'in_flight', description: DECISIONS.in_flight },
  } as const,
});

const PlannedDateType = builder.objectRef<PlannedDate>('PlannedDate').implement({
  description: 'A date of a backfill, and what becomes of it as things stand.',
  authScopes: { read: true },
  fields: (t) => ({
    logicalDate: t.field({ type: 'DateTime', description: 'The date.', resolve: ({ run }) => run.logicalDate }),
    decision: t.expose('decision', { type: DecisionEnum, description: 'What becomes of it.' }),
    dagRun: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'Its newest run; null: it has none.',
      resolve: ({ existing }) => (existing === null ? null : String(existing)),
    }),
  }),
});

interface Plan {
  backfill: BackfillRow | null;
  dates: PlannedDate[];
}

const BackfillPlanType = builder.objectRef<Plan>('BackfillPlan').implement({
  description: 'A backfill, or what it would be.',
  authScopes: { read: true },
  fields: (t) => ({
    backfill: t.field({
      type: BackfillNode,
      nullable: true,
      description: 'Null: it was a dry run.',
      resolve: ({ backfill }) => backfill,
    }),
    total: t.int({ description: 'How many dates it has.', resolve: ({ dates }) => dates.length }),
    toRun: t.int({
      description: 'How many of them get a run as things stand.',
      resolve: ({ dates }) => dates.filter(({ decision }) => decision === 'create' || decision === 'rerun').length,
    }),
    dates: t.field({
      type: [PlannedDateType],
      complexity: { field: 1, multiplier: 100 },
      description: `The dates, oldest first; at most ${MOST_SHOWN}.`,
      resolve: ({ dates }) => dates.slice(0, MOST_SHOWN),
    }),
  }),
});

interface CreateInput {
  dagId: string;
  from: Date;
  to: Date;
  reprocess?: Reprocess | null | undefined;
  maxActiveRuns?: number | null | undefined;
  backwards?: boolean | null | undefined;
  conf?: unknown;
  note?: string | null | undefined;
  dryRun?: boolean | null | undefined;
}

async function create(ctx: Context, input: CreateInput): Promise<Plan> {
  const row = await requireDag(ctx, input.dagId);
  const dag = await currentVersion(ctx, row);
  const conf = (input.conf ?? {}) as Conf;
  const issues = checkConf(dag, conf);
  if (issues.length > 0) throw new ValidationError(issues);
  const runs = datesOf(dag, input);
  const reprocess = input.reprocess ?? 'none';
  const newest = await newestRunsOf(
    ctx.db,
    row.id,
    runs.map((run) => run.logicalDate),
  );
  const dates = runs.map((run, i) => ({
    run,
    decision: decideDate(newest[i]?.state ?? null, reprocess),
    existing: newest[i]?.id ?? null,
  }));
  if (input.dryRun) return { backfill: null, dates };
  const backfill = await createBackfill(ctx.db, {
    dagId: row.id,
    versionId: dag.versionId,
    from: input.from,
    to: input.to,
    reprocess,
    maxActiveRuns: input.maxActiveRuns ?? 10,
    backwards: input.backwards ?? false,
    conf: Object.keys(conf).length > 0 ? conf : null,
    note: input.note ?? null,
    dates: runs,
    actor: actorOf(ctx),
  });
  return { backfill, dates };
}

async function currentVersion(ctx: Context, row: DagRow): Promise<CompiledDag> {
  const versionId = row.version_id ?? 0;
  await ctx.engine.versions.load([versionId]);
  const dag = ctx.engine.versions.get(versionId);
  if (!dag) throw new NotFoundError(`DAG "${row.name}"`);
  return dag;
}

function datesOf(dag: CompiledDag, { from, to }: CreateInput): NextRun[] {
  const refuse = (field: string, message: string) => new ValidationError([{ path: ['input', field], message }]);
  if (to < from) throw refuse('to', 'lies before "from"');
  const runs = runsBetween(dag.timetable, from, to, MOST_DATES);
  if (runs.length > MOST_DATES)
    throw refuse('to', `the range has more than ${MOST_DATES} dates: make several backfills of it`);
  if (runs.length === 0)
    throw refuse(
      'from',
      dag.timetable.schedule === null
        ? 'the DAG has no schedule, so no range has dates in it: trigger its runs'
        : 'the schedule has no date in this range: look at nextRuns of the DAG',
    );
  return runs;
}

async function move(ctx: Context, id: string, state: BackfillState): Promise<BackfillRow> {
  const { id: backfillId } = await requireBackfill(ctx, id);
  if (!(await setBackfillState(ctx.db, backfillId, state, actorOf(ctx))))
    throw new ConflictError('BACKFILL_ENDED', `Backfill ${backfillId} has ended.`);
  return requireBackfill(ctx, String(backfillId));
}

const endErrors = { types: [NotFoundError, ConflictError] };
builder.mutationFields((t) => ({
  createBackfill: t.field({
    type: BackfillPlanType,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Runs a range of a DAG’s dates with its current version. With dryRun it says what it would do.',
    args: { input: t.arg({ type: CreateBackfillInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
  pauseBackfill: t.field({
    type: BackfillNode,
    authScopes: { edit: true },
    errors: endErrors,
    description: 'No further date gets a run; those that have one go on.',
    args: { backfillId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: (_root, { backfillId }, ctx) => move(ctx, backfillId, 'paused'),
  }),
  resumeBackfill: t.field({
    type: BackfillNode,
    authScopes: { edit: true },
    errors: endErrors,
    description: 'Dates get their runs again.',
    args: { backfillId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: (_root, { backfillId }, ctx) => move(ctx, backfillId, 'running'),
  }),
  cancelBackfill: t.field({
    type: BackfillNode,
    authScopes: { edit: true },
    errors: endErrors,
    description: 'No further date gets a run, and its runs under way are cancelled.',
    args: { backfillId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: (_root, { backfillId }, ctx) => move(ctx, backfillId, 'cancelled'),
  }),
}));

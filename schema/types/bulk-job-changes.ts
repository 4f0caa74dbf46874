import { z } from 'zod';
import {
  cancelBulkJob,
  createBulkJob,
  findBulkJobs,
  selectRuns,
  type BulkAction,
  type BulkJobRow,
  type BulkSpec,
} from '#db/queries/bulk-job.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { RunKindEnum, RunStateEnum } from '../enums.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { BulkActionEnum, BulkJobNode } from './bulk-job.ts';
import { DagRunNode } from './dag-run.ts';
import { requireDag } from './dag.ts';
import { MarkStateEnum } from './task-edits.ts';

const MOST_RUNS = 10_000;
const MOST_SHOWN = 100;

const RunSelectionInput = builder.inputType('RunSelectionInput', {
  description: 'Which runs: those that all words given here apply to; at most 10,000.',
  fields: (t) => ({
    runIds: t.idList({ description: 'Bare or global ids.', validate: z.array(z.string()).min(1).max(MOST_RUNS) }),
    dagId: t.string({ description: 'Of this DAG.', validate: z.string().min(1).max(200) }),
    states: t.field({
      type: [RunStateEnum],
      description: 'In one of these states.',
      validate: z.array(z.string()).min(1),
    }),
    kinds: t.field({
      type: [RunKindEnum],
      description: 'Of one of these kinds.',
      validate: z.array(z.string()).min(1),
    }),
    from: t.field({ type: 'DateTime', description: 'With this logical date or a later one.' }),
    to: t.field({ type: 'DateTime', description: 'With this logical date or an earlier one.' }),
  }),
});

const StartBulkJobInput = builder.inputType('StartBulkJobInput', {
  description: 'Something to do to many runs.',
  fields: (t) => ({
    action: t.field({ type: BulkActionEnum, required: true, description: 'What.' }),
    runs: t.field({ type: RunSelectionInput, required: true, description: 'To which runs.' }),
    taskIds: t.stringList({
      description: 'To clear or mark: names of the tasks; all when absent.',
      validate: z.array(z.string().min(1).max(200)).min(1).max(1000),
    }),
    mapIndexes: t.intList({
      description: 'Only these instances of the mapped tasks named.',
      validate: z.array(z.int().min(0)).min(1).max(1000),
    }),
    upstream: t.boolean({ defaultValue: false, description: 'And all that they depend on.' }),
    downstream: t.boolean({ defaultValue: false, description: 'And all that depends on them.' }),
    onlyFailed: t.boolean({ defaultValue: false, description: 'Of these only what failed, or whose upstream failed.' }),
    state: t.field({ type: MarkStateEnum, description: 'To mark: what the tasks are taken for.' }),
    dryRun: t.boolean({ defaultValue: false, description: 'Only say which runs it would be done to.' }),
  }),
});

interface Started {
  job: BulkJobRow | null;
  runIds: number[];
}

const StartedType = builder.objectRef<Started>('StartedBulkJob').implement({
  description: 'A bulk job, or what it would be.',
  authScopes: { read: true },
  fields: (t) => ({
    job: t.field({
      type: BulkJobNode,
      nullable: true,
      description: 'Null: it was a dry run.',
      resolve: ({ job }) => job,
    }),
    total: t.int({ description: 'How many runs it is about.', resolve: ({ runIds }) => runIds.length }),
    dagRuns: t.field({
      type: [DagRunNode],
      complexity: { field: 1, multiplier: MOST_SHOWN },
      description: `The runs, newest first; at most ${MOST_SHOWN}.`,
      resolve: ({ runIds }) => runIds.slice(0, MOST_SHOWN).map(String),
    }),
  }),
});

type Selection = typeof RunSelectionInput.$inferInput;
type Input = typeof StartBulkJobInput.$inferInput;

const refusal = (path: string[], message: string) => new ValidationError([{ path: ['input', ...path], message }]);

async function start(ctx: Context, input: Input): Promise<Started> {
  const action: BulkAction = input.action;
  if (action === 'mark' && !input.state) throw refusal(['state'], 'say what the tasks are to be taken for');
  const runIds = await runsOf(ctx, input.runs);
  if (input.dryRun) return { job: null, runIds };
  if (runIds.length === 0) throw refusal(['runs'], 'there is no such run');
  const spec: BulkSpec = {
    taskIds: input.taskIds ?? null,
    mapIndexes: input.mapIndexes ?? null,
    upstream: input.upstream ?? false,
    downstream: input.downstream ?? false,
    onlyFailed: input.onlyFailed ?? false,
    state: input.state ?? null,
  };
  const job = await createBulkJob(ctx.db, { action, spec, runIds, actor: actorOf(ctx) });
  return { job, runIds };
}

async function runsOf(ctx: Context, runs: Selection): Promise<number[]> {
  if (Object.values(runs).every((value) => value == null))
    throw refusal(['runs'], 'name runs, a DAG, states, kinds or dates: all runs of the service are never meant');
  const dag = runs.dagId == null ? null : await requireDag(ctx, runs.dagId);
  const ids = runs.runIds?.map((id) => parseNumericId('DagRun', String(id)) ?? 0) ?? null;
  const found = await selectRuns(
    ctx.db,
    {
      runIds: ids,
      dagId: dag?.id ?? null,
      states: runs.states ?? null,
      kinds: runs.kinds ?? null,
      from: runs.from ?? null,
      to: runs.to ?? null,
    },
    MOST_RUNS,
  );
  if (found.length > MOST_RUNS)
    throw refusal(['runs'], `these are more than ${MOST_RUNS} runs: say which more closely`);
  return found;
}

async function cancel(ctx: Context, id: string): Promise<BulkJobRow> {
  const jobId = parseNumericId('BulkJob', id) ?? 0;
  const isCancelled = await cancelBulkJob(ctx.db, jobId, actorOf(ctx));
  const [job] = await findBulkJobs(ctx.db, [jobId]);
  if (!job) throw new NotFoundError(`bulk job "${id}"`);
  if (!isCancelled) throw new ConflictError('JOB_ENDED', `Bulk job ${jobId} has ended.`);
  return job;
}

builder.mutationFields((t) => ({
  startBulkJob: t.field({
    type: StartedType,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Clears, marks or cancels many runs, one after the other. With dryRun it says which.',
    args: { input: t.arg({ type: StartBulkJobInput, required: true }) },
    resolve: (_root, { input }, ctx) => start(ctx, input),
  }),
  cancelBulkJob: t.field({
    type: BulkJobNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError] },
    description: 'Stops a bulk job; what was done stays done.',
    args: { jobId: t.arg.id({ required: true, description: 'Its bare or its global id.' }) },
    resolve: (_root, { jobId }, ctx) => cancel(ctx, jobId),
  }),
}));

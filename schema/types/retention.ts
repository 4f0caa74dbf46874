import { listRetentionRuns, requestRetention, type RetentionRunRow } from '#db/queries/retention-runs.ts';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { badInput, ConflictError } from '../errors.ts';
import { planRetention, type PlannedDeletion, type PlannedPartition, type RetentionPlan } from '../retention-plan.ts';

const MOST_RUNS = 100;

const RetentionStateEnum = builder.enumType('RetentionState', {
  description: 'How far a deletion of what is old has come.',
  values: {
    REQUESTED: { value: 'requested', description: 'A scheduler takes it soon.' },
    RUNNING: { value: 'running', description: 'It is on its way.' },
    COMPLETED: { value: 'completed', description: 'All is deleted that was to go.' },
    FAILED: { value: 'failed', description: 'It ended early; what it had deleted is deleted.' },
  } as const,
});

const DeletionType = builder.objectRef<PlannedDeletion>('PlannedDeletion').implement({
  description: 'Things that would be deleted.',
  authScopes: { read: true },
  fields: (t) => ({
    what: t.exposeString('what', { description: 'runs, runs without logs, audit, bundles, …' }),
    dagId: t.exposeString('dagId', { nullable: true, description: 'Name of the DAG; null: of none.' }),
    seconds: t.exposeFloat('seconds', { nullable: true, description: 'How long they are kept.' }),
    count: t.exposeFloat('count', { description: 'How many.' }),
  }),
});

const PartitionType = builder.objectRef<PlannedPartition>('PlannedPartition').implement({
  description: 'All tables of a span of days, which would be dropped.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The first day of the span.' }),
    bytes: t.exposeFloat('bytes', { description: 'What they take.' }),
  }),
});

const PlanType = builder.objectRef<RetentionPlan>('RetentionPlan').implement({
  description: 'What would be deleted now because it has been kept long enough.',
  authScopes: { read: true },
  fields: (t) => ({
    deletions: t.field({ type: [DeletionType], description: 'By DAG and kind.', resolve: (plan) => plan.deletions }),
    partitions: t.field({ type: [PartitionType], description: 'Oldest first.', resolve: (plan) => plan.partitions }),
  }),
});

const RetentionRunType = builder.objectRef<RetentionRunRow>('RetentionRun').implement({
  description: 'A deletion of what has been kept long enough.',
  authScopes: { read: true },
  fields: (t) => ({
    retentionRunId: t.string({ description: 'Its id.', resolve: ({ id }) => String(id) }),
    state: t.field({ type: RetentionStateEnum, description: 'How far it has come.', resolve: ({ state }) => state }),
    requestedBy: t.exposeString('requested_by', { nullable: true, description: 'Null: its time had come.' }),
    requestedAt: t.expose('requested_at', { type: 'DateTime', description: 'When.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', nullable: true, description: 'When a scheduler took it.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    deleted: t.field({ type: 'JSON', description: 'How many of what, so far.', resolve: (run) => run.deleted }),
    error: t.exposeString('error', { nullable: true, description: 'Why it ended early.' }),
  }),
});

builder.queryField('retentionPlan', (t) =>
  t.field({
    type: PlanType,
    authScopes: { administer: true },
    complexity: 200,
    description: 'The dry run: what would be deleted now. Looks through all that is old.',
    resolve: (_root, _args, ctx) => planRetention(ctx.db),
  }),
);

builder.queryField('retentionRuns', (t) =>
  t.field({
    type: [RetentionRunType],
    authScopes: { read: true },
    description: 'What was deleted before, newest first: each time that there was anything, or that somebody asked.',
    args: { first: t.arg.int({ defaultValue: 10, description: `At most ${MOST_RUNS}.` }) },
    resolve: (_root, { first }, ctx) => {
      if (first == null || first < 1 || first > MOST_RUNS)
        throw badInput(`retentionRuns: first is from 1 to ${MOST_RUNS}.`);
      return listRetentionRuns(ctx.db, first);
    },
  }),
);

builder.mutationField('startRetention', (t) =>
  t.field({
    type: RetentionRunType,
    authScopes: { administer: true },
    errors: { types: [ConflictError] },
    description: 'Deletes what has been kept long enough now, and not only when its time comes.',
    resolve: async (_root, _args, ctx) => {
      const run = await requestRetention(ctx.db, actorOf(ctx));
      if (!run) throw new ConflictError('RETENTION_RUNS', 'It is being done already: look at retentionRuns.');
      return run;
    },
  }),
);

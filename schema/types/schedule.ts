import { readNextRuns } from '#db/queries/schedule.ts';
import { previewSchedule, type ScheduleInput } from '#sdk/preview-schedule.ts';
import type { NextRun } from '#sdk/timetable.ts';
import { builder } from '../builder.ts';
import { badInput, ValidationError } from '../errors.ts';
import { DagNode, headOf } from './dag.ts';

const MOST_RUNS = 100;

const NextRunType = builder.objectRef<NextRun>('NextRun').implement({
  description: 'A run that the timetable will make.',
  authScopes: { read: true },
  fields: (t) => ({
    runAt: t.expose('runAt', { type: 'DateTime', description: 'When it is made; in the past when it is overdue.' }),
    logicalDate: t.expose('logicalDate', { type: 'DateTime', description: 'The date it is for.' }),
    dataIntervalStart: t.expose('intervalStart', { type: 'DateTime', description: 'Start of the data it covers.' }),
    dataIntervalEnd: t.expose('intervalEnd', {
      type: 'DateTime',
      description: 'End of the data it covers, exclusive.',
    }),
  }),
});

const SchedulePreviewType = builder
  .objectRef<{ description: string | null; runs: NextRun[] }>('SchedulePreview')
  .implement({
    description: 'What a schedule would do for a DAG that begins now.',
    authScopes: { read: true },
    fields: (t) => ({
      description: t.exposeString('description', {
        nullable: true,
        description: 'The schedule in one line; null: runs only when asked.',
      }),
      runs: t.expose('runs', { type: [NextRunType], description: 'The first runs, in order.' }),
    }),
  });

builder.objectField(DagNode, 'nextRuns', (t) =>
  t.field({
    type: [NextRunType],
    complexity: ({ first }) => ({ field: 5, multiplier: Math.max(1, first) }),
    description:
      'The next runs by the clock, in order; of a paused DAG: as if it were un-paused now. Runs for assets, and the next one of ' +
      'a continuous DAG whose run has not ended, are not foreseen.',
    args: { first: t.arg.int({ defaultValue: 5, required: true, description: `At most ${MOST_RUNS}.` }) },
    resolve: async (dag, { first }, ctx) => readNextRuns(ctx.db, dag, await headOf(dag, ctx), checkCount(first)),
  }),
);

function checkCount(first: number): number {
  if (first >= 0 && first <= MOST_RUNS) return first;
  throw badInput(`first: from 0 to ${MOST_RUNS}, not ${first}.`);
}

function preview({ first, ...input }: ScheduleInput & { first: number }) {
  const result = previewSchedule(input, checkCount(first), new Date());
  if (result.ok) return result;
  throw new ValidationError(result.issues.map(({ path, message }) => ({ path: [path], message })));
}

builder.queryField('schedulePreview', (t) =>
  t.field({
    type: SchedulePreviewType,
    authScopes: { read: true },
    errors: { types: [ValidationError] },
    complexity: ({ first }) => ({ field: 5, multiplier: Math.max(1, first) }),
    description: 'Checks a schedule that no DAG has yet, and shows what it would do.',
    args: {
      schedule: t.arg({
        type: 'JSON',
        description: 'As in a DagSpec: `"@daily"`, a list of crons, `{"every": "15m"}`, …',
      }),
      timezone: t.arg.string({ defaultValue: 'UTC', required: true, description: 'IANA name.' }),
      startDate: t.arg.string({ description: '`2026-01-31`, or with a time; in the time zone.' }),
      endDate: t.arg.string({ description: 'The last logical date.' }),
      catchup: t.arg.boolean({ defaultValue: false, required: true, description: 'As in a DagSpec.' }),
      dataIntervals: t.arg.boolean({ defaultValue: false, required: true, description: 'As in a DagSpec.' }),
      first: t.arg.int({ defaultValue: 5, required: true, description: `How many runs; at most ${MOST_RUNS}.` }),
    },
    resolve: (_root, args) =>
      preview({ ...args, schedule: args.schedule, startDate: args.startDate ?? null, endDate: args.endDate ?? null }),
  }),
);

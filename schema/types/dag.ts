import type { Overlap } from '#sdk/dag-spec.ts';
import { describeSchedule } from '#sdk/schedule.ts';
import { listRecentRuns } from '#db/queries/dag-runs.ts';
import { listDagVersions, type DagVersionRow } from '#db/queries/dag-versions.ts';
import { findDagByName, findDags, listDags, type DagRow } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger } from '../connection.ts';
import type { Context } from '../context.ts';
import { OverlapEnum, RunStateEnum } from '../enums.ts';
import { badInput, NotFoundError } from '../errors.ts';
import { loadById } from '../load-by-id.ts';
import { DagRunNode, runConnection } from './dag-run.ts';
import { DagVersionNode } from './dag-version.ts';

const MOST_RECENT_RUNS = 50;

export const DagNode = builder.loadableNode('Dag', {
  description: 'A workflow: tasks and what they wait for.',
  authScopes: { read: true },
  id: { resolve: (dag: DagRow) => dag.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findDags(ctx.db, known)),
  fields: (t) => ({
    dagId: t.exposeString('name', { description: 'Its name, unique in the service.' }),
    description: t.exposeString('description', { nullable: true, description: 'One line.' }),
    owner: t.exposeString('owner', { nullable: true, description: 'Who answers for it.' }),
    tags: t.exposeStringList('tags', { description: 'For finding it.' }),
    paused: t.exposeBoolean('paused', { description: 'No run starts while it is paused.' }),
    pauseReason: t.exposeString('pause_reason', {
      nullable: true,
      description: 'Why the service paused it by itself; null: it did not.',
    }),
    active: t.exposeBoolean('active', { description: 'False once its file has gone: nothing is scheduled any more.' }),
    source: t.exposeString('source', {
      nullable: true,
      description: 'What it was last deployed from, such as `folder:/dags` or `cli`; null: not told.',
    }),
    path: t.exposeString('path', { nullable: true, description: 'The file within the source; null: not told.' }),
    nextRunAt: t.expose('next_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the timetable starts the next run; null: never.',
    }),
    maxActiveRuns: t.exposeInt('max_active_runs', { description: 'Most runs at once; further ones are queued.' }),
    maxConsecutiveFailedRuns: t.exposeInt('max_failed_runs', {
      description: 'So many failed runs in a row pause it; 0: never.',
    }),
    overlap: t.field({
      type: OverlapEnum,
      description: 'What becomes of a scheduled run that is due while one before it has not ended.',
      resolve: (dag) => dag.overlap as Overlap,
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was first deployed.' }),
    version: t.field({
      type: DagVersionNode,
      description: 'The current version: new runs use it.',
      resolve: currentVersion,
    }),
  }),
});

/** What the current version's spec says. */
builder.objectFields(DagNode, (t) => ({
  docs: t.string({
    nullable: true,
    description: 'Markdown.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).docs,
  }),
  schedule: t.string({
    nullable: true,
    description: 'In one line: `@daily`, `0 6 * * *`, `every 900s`, `assets a & b`; null: runs only when asked.',
    resolve: async (dag, _args, ctx) => {
      const { schedule } = await headOf(dag, ctx);
      return schedule && describeSchedule(schedule);
    },
  }),
  timezone: t.string({
    description: 'IANA name; the schedule is meant in it.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).timezone,
  }),
  catchup: t.boolean({
    description: 'Every slot missed since its start is made up for, not only the newest.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).catchup,
  }),
  dataIntervals: t.boolean({
    description: 'Its runs start at the end of the interval they cover, and have its start as logical date.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).dataIntervals ?? false,
  }),
  dagrunTimeout: t.float({
    nullable: true,
    description: 'Seconds after which a run that has started ends as failed; null: no limit.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).dagrunTimeout ?? null,
  }),
  failFast: t.boolean({
    description: 'The first task that fails for good ends the run as failed.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).failFast ?? false,
  }),
  maxActiveTasks: t.int({
    description: 'Most tasks at once, per run.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).maxActiveTasks,
  }),
  params: t.field({
    type: 'JSON',
    nullable: true,
    description: 'JSON Schema of what a trigger may give as `conf`; null: anything.',
    resolve: async (dag, _args, ctx) => (await headOf(dag, ctx)).params,
  }),
}));

builder.objectFields(DagNode, (t) => ({
  recentRuns: t.loadableList({
    type: DagRunNode,
    description: 'The newest runs, newest first.',
    args: { first: t.arg.int({ defaultValue: 14, required: true, description: `At most ${MOST_RECENT_RUNS}.` }) },
    complexity: ({ first }) => ({ field: 1, multiplier: first }),
    byPath: true,
    load: async (dagIds: number[], ctx, { first }) => {
      if (first < 0 || first > MOST_RECENT_RUNS)
        throw badInput(`recentRuns: from 0 to ${MOST_RECENT_RUNS}, not ${first}.`);
      const runs = await listRecentRuns(ctx.db, dagIds, first);
      return dagIds.map((id) => runs.get(id) ?? []);
    },
    resolve: (dag) => dag.id,
  }),
  runs: t.connection({
    type: DagRunNode,
    complexity: pageComplexity,
    description: 'Its runs, newest first.',
    args: { state: t.arg({ type: RunStateEnum, description: 'Only in this state.' }) },
    resolve: (dag, args, ctx) => runConnection(ctx, args, dag.id),
  }),
  versions: t.connection({
    type: DagVersionNode,
    complexity: pageComplexity,
    description: 'All that was deployed, newest first.',
    resolve: (dag, args, ctx) =>
      keysetConnection(args, {
        toKey: (version: DagVersionRow) => version.number,
        parseKey: parseInteger,
        load: (page) => listDagVersions(ctx.db, dag.id, page),
      }),
  }),
}));

builder.objectField(DagRunNode, 'dag', (t) =>
  t.field({ type: DagNode, description: 'Its DAG.', resolve: (run) => String(run.dag_id) }),
);
builder.objectField(DagRunNode, 'version', (t) =>
  t.field({ type: DagVersionNode, description: 'The version it runs.', resolve: (run) => String(run.version_id) }),
);
builder.objectField(DagVersionNode, 'dag', (t) =>
  t.field({ type: DagNode, description: 'Its DAG.', resolve: (version) => String(version.dag_id) }),
);

/** A DAG row gets its version in the same transaction that makes it. */
function currentVersion(dag: DagRow): string {
  if (dag.version_id === null) throw new Error(`DAG ${dag.name} has no version.`);
  return String(dag.version_id);
}

/** What the current version's spec says beside its tasks. */
export async function headOf(dag: DagRow, ctx: Context): Promise<DagVersionRow['head']> {
  const version = await DagVersionNode.getDataloader(ctx).load(currentVersion(dag));
  return version.head;
}

/** A DAG by name, for mutations. */
export async function requireDag(ctx: Context, name: string): Promise<DagRow> {
  const dag = await findDagByName(ctx.db, name);
  if (!dag) throw new NotFoundError(`DAG "${name}"`);
  return dag;
}

builder.queryFields((t) => ({
  dag: t.field({
    type: DagNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A DAG by name; null when there is none.',
    args: { dagId: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: (_root, { dagId }, ctx) => findDagByName(ctx.db, dagId),
  }),
  dags: t.connection({
    type: DagNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'All DAGs, by name.',
    args: {
      search: t.arg.string({ description: 'Part of the name, in any case; at most 200 characters.' }),
      tag: t.arg.string({ description: 'Only with this tag.' }),
      paused: t.arg.boolean({ description: 'Only paused ones, or only those that are not.' }),
    },
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (dag: DagRow) => dag.name,
        parseKey: (text) => text,
        load: (page) => listDags(ctx.db, { ...args, search: args.search?.slice(0, 200) ?? null }, page),
      }),
  }),
}));

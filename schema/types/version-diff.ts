import { diffSpecs, type EdgeChange, type FieldChange, type SpecDiff, type TaskChange } from '#sdk/diff-specs.ts';
import { findVersionByNumber } from '#db/queries/dag-versions.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import { badInput } from '../errors.ts';
import type { Context } from '../context.ts';

const ChangeEnum = builder.enumType('Change', {
  description: 'What happened to it from the one version to the other.',
  values: {
    ADDED: { value: 'added', description: 'It is new.' },
    REMOVED: { value: 'removed', description: 'It is gone.' },
    CHANGED: { value: 'changed', description: 'It is another.' },
  } as const,
});

const FieldChangeType = builder.objectRef<FieldChange>('FieldChange').implement({
  description: 'One field that is different.',
  authScopes: { read: true },
  fields: (t) => ({
    field: t.exposeString('field', { description: 'Its name in the spec.' }),
    before: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What it was.',
      resolve: ({ before }) => before ?? null,
    }),
    after: t.field({ type: 'JSON', nullable: true, description: 'What it is.', resolve: ({ after }) => after ?? null }),
  }),
});

const TaskChangeType = builder.objectRef<TaskChange>('TaskChange').implement({
  description: 'A task that is different. What it waits for is told by the edges.',
  authScopes: { read: true },
  fields: (t) => ({
    taskId: t.exposeString('taskId', { description: 'Its name.' }),
    change: t.expose('change', { type: ChangeEnum, description: 'How.' }),
    fields: t.field({ type: [FieldChangeType], description: 'Of a changed one.', resolve: ({ fields }) => fields }),
  }),
});

const EdgeChangeType = builder.objectRef<EdgeChange>('EdgeChange').implement({
  description: 'An edge that is new or gone.',
  authScopes: { read: true },
  fields: (t) => ({
    from: t.exposeString('from', { description: 'The upstream task.' }),
    to: t.exposeString('to', { description: 'The downstream task.' }),
    change: t.expose('change', { type: ChangeEnum, description: 'ADDED or REMOVED.' }),
  }),
});

interface VersionDiff extends SpecDiff {
  codeChanged: boolean;
}

const VersionDiffType = builder.objectRef<VersionDiff>('VersionDiff').implement({
  description: 'What is different between two versions of a DAG.',
  authScopes: { read: true },
  fields: (t) => ({
    settings: t.field({
      type: [FieldChangeType],
      description: 'Of the DAG itself: schedule, limits, params, …',
      resolve: ({ settings }) => settings,
    }),
    tasks: t.field({ type: [TaskChangeType], description: 'Its tasks.', resolve: ({ tasks }) => tasks }),
    edges: t.field({ type: [EdgeChangeType], description: 'Who waits for whom.', resolve: ({ edges }) => edges }),
    codeChanged: t.exposeBoolean('codeChanged', { description: 'The bundle of code is another one.' }),
  }),
});

async function diff(ctx: Context, dagName: string, from: number, to: number): Promise<VersionDiff | null> {
  const dag = await findDagByName(ctx.db, dagName);
  if (!dag) return null;
  const [before, after] = await Promise.all([from, to].map((number) => findVersionByNumber(ctx.db, dag.id, number)));
  const missing = before ? (after ? null : to) : from;
  if (!before || !after) throw badInput(`DAG "${dagName}" has no version ${missing}.`);
  return { ...diffSpecs(before.spec, after.spec), codeChanged: before.bundle_hash !== after.bundle_hash };
}

builder.queryField('dagVersionDiff', (t) =>
  t.field({
    type: VersionDiffType,
    nullable: true,
    authScopes: { read: true },
    complexity: 50,
    description: 'What is different between two versions of a DAG, by their numbers; null when there is no such DAG.',
    args: {
      dagId: t.arg.string({ required: true, description: 'The DAG’s name.' }),
      from: t.arg.int({ required: true, description: 'The number of the older version.' }),
      to: t.arg.int({ required: true, description: 'The number of the newer version.' }),
    },
    resolve: (_root, { dagId, from, to }, ctx) => diff(ctx, dagId, from, to),
  }),
);

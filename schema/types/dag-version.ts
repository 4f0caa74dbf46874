import { findDagVersions, readDagSpec, type DagVersionRow } from '#db/queries/dag-versions.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { NotFoundError } from '../errors.ts';
import { TaskType, type TaskRef } from './task.ts';

async function tasksOf(ctx: Context, versionId: number): Promise<TaskRef[]> {
  await ctx.engine.versions.load([versionId]);
  const dag = ctx.engine.versions.get(versionId);
  return dag ? dag.tasks.map((_, index) => ({ dag, index })) : [];
}

export const DagVersionNode = builder.loadableNode('DagVersion', {
  description: 'A DAG as it was deployed at one time. Never changes.',
  authScopes: { read: true },
  id: { resolve: (version: DagVersionRow) => version.id },
  load: async (ids: string[], ctx: Context) => {
    const rows = new Map((await findDagVersions(ctx.db, ids.map(Number))).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(Number(id)) ?? new NotFoundError(`DAG version ${id}`));
  },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Counts from 1 within the DAG.' }),
    hash: t.exposeString('hash', {
      description: 'SHA-256 of spec and code, in hex: the same content is the same version.',
    }),
    bundleHash: t.exposeString('bundle_hash', {
      nullable: true,
      description: 'SHA-256 of the code, in hex: GET /bundles/<hash>; null when it has none.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was first deployed.' }),
    createdBy: t.exposeString('created_by', { nullable: true, description: 'Who deployed it first.' }),
    spec: t.field({
      type: 'JSON',
      complexity: 50,
      description: 'The whole DagSpec (see dag-spec.schema.json).',
      resolve: (version, _args, ctx) => readDagSpec(ctx.db, version.id),
    }),
    taskCount: t.exposeInt('task_count', { description: 'How many tasks it has.' }),
    tasks: t.field({
      type: [TaskType],
      // The whole graph is one piece: it is in memory, and a page of it would be of no use
      complexity: { field: 50, multiplier: 10 },
      description: 'All tasks, in the order of the spec.',
      resolve: (version, _args, ctx) => tasksOf(ctx, version.id),
    }),
  }),
});

import { findDagVersions, readDagSpec, type DagVersionRow } from '#db/queries/dag-versions.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { loadById } from '../load-by-id.ts';
import { GitCommitType } from './git-commit.ts';
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
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findDagVersions(ctx.db, known)),
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
    commit: t.field({
      type: GitCommitType,
      nullable: true,
      description: 'What it was first deployed with, from a Git repository; null: from elsewhere.',
      resolve: (version) => (version.commit_sha === null ? null : version),
    }),
    gitSource: t.exposeString('git_source', { nullable: true, description: 'Name of the Git source of that commit.' }),
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

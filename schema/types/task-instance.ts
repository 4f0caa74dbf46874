import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import {
  findTaskInstances,
  listTaskInstances,
  type TaskInstanceRow,
  type TaskKey,
} from '#db/queries/task-instances.ts';
import { listTaskTries, type TaskTryRow } from '#db/queries/task-tries.ts';
import { listXComs } from '#db/queries/xcoms.ts';
import type { CompiledDag } from '#db/engine/compiled-dag.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import type { Context } from '../context.ts';
import { TaskStateEnum } from '../enums.ts';
import { badInput, NotFoundError } from '../errors.ts';
import { parseTaskInstanceId } from '../global-id.ts';
import { formatTaskKey, parseTaskKey, taskKeyOf } from '../task-key.ts';
import { DagRunNode } from './dag-run.ts';
import { renderedOf, TaskTryType } from './task-try.ts';
import { TaskType } from './task.ts';
import { WorkerNode } from './worker.ts';
import { XComType } from './xcom.ts';

export const keyOf = (row: TaskInstanceRow): string => formatTaskKey(taskKeyOf(row));
const keysOf = (ids: readonly string[]): TaskKey[] =>
  ids.map((id) => parseTaskKey(id) ?? { runId: -1, taskIndex: -1, mapIndex: -1 });

/** The last finished try of a task instance, by its key. */
export const lastTries = createContextCache(
  (ctx: Context) =>
    new DataLoader<string, TaskTryRow | null>(async (ids) =>
      (await listTaskTries(ctx.db, keysOf(ids), { newest: true })).map((tries) => tries[0] ?? null),
    ),
);

/** The version that a run is pinned to, from memory after the first time. */
export async function dagOfRun(ctx: Context, runId: number): Promise<CompiledDag> {
  const { versions } = ctx.engine;
  if (!versions.ofRun(runId)) await versions.loadRuns([runId]);
  const dag = versions.ofRun(runId);
  if (!dag) throw new NotFoundError(`run ${runId}`);
  return dag;
}

export const TaskInstanceNode = builder.loadableNode('TaskInstance', {
  description: 'A task in one run.',
  authScopes: { read: true },
  id: { resolve: keyOf },
  load: async (ids: string[], ctx: Context) => {
    const rows = new Map((await findTaskInstances(ctx.db, keysOf(ids))).map((row) => [keyOf(row), row]));
    return ids.map((id) => rows.get(id) ?? null);
  },
  fields: (t) => ({
    taskId: t.string({
      description: 'The task’s name.',
      resolve: async (row, _args, ctx) => (await dagOfRun(ctx, row.run_id)).tasks[row.task_index]?.taskId ?? '',
    }),
    taskIndex: t.exposeInt('task_index', { description: 'The task’s place in the version, from 0.' }),
    mapIndex: t.exposeInt('map_index', { description: 'Which of its copies, from 0; -1 when the task is not mapped.' }),
    state: t.expose('state', { type: TaskStateEnum, description: 'Where it stands.' }),
    starting: t.boolean({
      description: 'It is queued, and a cluster has it: its code has not begun.',
      resolve: (row) => row.state === 'queued' && row.dispatch_id !== null,
    }),
    tryNumber: t.exposeInt('try_number', { description: 'The current or last try; 0 before the first.' }),
    maxTries: t.exposeInt('max_tries', { description: 'The last try it may have.' }),
    queuedAt: t.expose('queued_at', { type: 'DateTime', nullable: true, description: 'When it could start.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', nullable: true, description: 'When a worker took it.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', nullable: true, description: 'When it finished.' }),
    task: t.field({
      type: TaskType,
      description: 'Its definition.',
      resolve: async (row, _args, ctx) => ({ dag: await dagOfRun(ctx, row.run_id), index: row.task_index }),
    }),
    dagRun: t.field({ type: DagRunNode, description: 'Its run.', resolve: (row) => String(row.run_id) }),
    worker: t.field({
      type: WorkerNode,
      nullable: true,
      description: 'Who runs or ran the current try.',
      resolve: (row) => (row.worker_id === null ? null : String(row.worker_id)),
    }),
  }),
});

/** What its tries left. */
builder.objectFields(TaskInstanceNode, (t) => ({
  tries: t.loadableList({
    type: TaskTryType,
    description: 'All finished tries, oldest first.',
    load: (ids: string[], ctx) => listTaskTries(ctx.db, keysOf(ids)),
    resolve: keyOf,
  }),
  lastTry: t.field({
    type: TaskTryType,
    nullable: true,
    description: 'The last finished try.',
    resolve: (row, _args, ctx) => lastTries(ctx).load(keyOf(row)),
  }),
  cause: t.string({
    nullable: true,
    description: 'Why the last finished try ended so.',
    resolve: async (row, _args, ctx) => (await lastTries(ctx).load(keyOf(row)))?.cause ?? null,
  }),
  message: t.string({
    nullable: true,
    description: 'What the last finished try said, for people.',
    resolve: async (row, _args, ctx) => (await lastTries(ctx).load(keyOf(row)))?.message ?? null,
  }),
  rendered: t.field({
    type: 'JSON',
    nullable: true,
    description:
      'What the templates of the last finished try came to: text by field, secrets hidden. Null: it has none.',
    resolve: async (row, _args, ctx) => {
      const last = await lastTries(ctx).load(keyOf(row));
      return last && renderedOf(ctx, last);
    },
  }),
  xcoms: t.loadableList({
    type: XComType,
    description: 'Its results, by key.',
    load: (ids: string[], ctx) => listXComs(ctx.db, keysOf(ids)),
    resolve: keyOf,
  }),
}));

builder.objectField(DagRunNode, 'taskInstances', (t) =>
  t.connection({
    type: TaskInstanceNode,
    complexity: pageComplexity,
    description: 'Its task instances, in the order of the spec.',
    args: { state: t.arg({ type: TaskStateEnum, description: 'Only in this state.' }) },
    resolve: (run, args, ctx) =>
      keysetConnection(args, {
        toKey: (row: TaskInstanceRow) => `${row.task_index}.${row.map_index}`,
        parseKey: (text) => (parseTaskKey(`0.${text}`) ? text : undefined),
        load: ({ after, before, ...page }) =>
          listTaskInstances(
            ctx.db,
            { runId: run.id, state: args.state ?? null },
            { ...page, after: placeOf(after), before: placeOf(before) },
          ),
      }),
  }),
);

const placeOf = (key: string | undefined): TaskKey | undefined =>
  key === undefined ? undefined : (parseTaskKey(`0.${key}`) ?? undefined);

const MOST_INSTANCES = 100;

builder.queryField('taskInstances', (t) =>
  t.field({
    type: [TaskInstanceNode],
    nullable: { list: false, items: true },
    authScopes: { read: true },
    complexity: ({ ids }) => ({ field: 1, multiplier: Math.max(1, ids.length) }),
    description: 'These task instances, in this order; null where there is none.',
    args: {
      ids: t.arg.idList({ required: true, description: `Their ids, as of taskInstance; at most ${MOST_INSTANCES}.` }),
    },
    resolve: async (_root, { ids }, ctx) => {
      if (ids.length > MOST_INSTANCES) throw badInput(`taskInstances: at most ${MOST_INSTANCES} ids.`);
      const keys = ids.map(parseTaskInstanceId);
      const rows = await findTaskInstances(
        ctx.db,
        keys.filter((key) => key !== null),
      );
      const found = new Map(rows.map((row) => [keyOf(row), row]));
      return keys.map((key) => (key && found.get(formatTaskKey(key))) ?? null);
    },
  }),
);

builder.queryField('taskInstance', (t) =>
  t.field({
    type: TaskInstanceNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A task instance; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'Its global id, or `<runId>.<taskIndex>.<mapIndex>`.' }) },
    resolve: async (_root, { id }, ctx) => {
      const key = parseTaskInstanceId(id);
      return key && ((await findTaskInstances(ctx.db, [key]))[0] ?? null);
    },
  }),
);

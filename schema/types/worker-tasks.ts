/** What a worker runs. */
import { listTasksOfWorker, type TaskInstanceRow } from '#db/queries/task-instances.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import { formatTaskKey, parseTaskKey, taskKeyOf } from '../task-key.ts';
import { TaskInstanceNode } from './task-instance.ts';
import { WorkerNode } from './worker.ts';

const keyOf = (key: string | undefined) => (key === undefined ? undefined : (parseTaskKey(key) ?? undefined));

builder.objectFields(WorkerNode, (t) => ({
  tasks: t.connection({
    type: TaskInstanceNode,
    complexity: pageComplexity,
    description: 'The task instances that it runs now, those of the oldest run first; `startedAt` says since when.',
    resolve: (worker, args, ctx) =>
      keysetConnection(args, {
        toKey: (row: TaskInstanceRow) => formatTaskKey(taskKeyOf(row)),
        parseKey: (text) => (parseTaskKey(text) ? text : undefined),
        load: ({ after, before, ...page }) =>
          listTasksOfWorker(ctx.db, worker.id, { ...page, after: keyOf(after), before: keyOf(before) }),
      }),
  }),
}));

import type { CompiledDag } from '#db/engine/compiled-dag.ts';
import { builder } from '../builder.ts';

/** A task of a version: its place among the version's tasks says all. */
export interface TaskRef {
  dag: CompiledDag;
  index: number;
}

const specOf = ({ dag, index }: TaskRef) => {
  const task = dag.tasks[index];
  if (!task) throw new Error(`Version ${dag.versionId} has no task ${index}.`);
  return task;
};
const nameOf = (dag: CompiledDag, index: number): string => dag.tasks[index]?.taskId ?? '';

export const TaskType = builder.objectRef<TaskRef>('Task').implement({
  description: 'A task as a version of a DAG defines it.',
  authScopes: { read: true },
  fields: (t) => ({
    taskIndex: t.int({ description: 'Its place in the version, from 0.', resolve: ({ index }) => index }),
    taskId: t.string({ description: 'Its name, unique in the DAG.', resolve: (task) => specOf(task).taskId }),
    kind: t.string({ description: 'empty, bash, python or typescript.', resolve: (task) => specOf(task).kind }),
    upstream: t.stringList({
      description: 'Names of the tasks it waits for.',
      resolve: (task) => specOf(task).upstream,
    }),
    downstream: t.stringList({
      description: 'Names of the tasks that wait for it.',
      resolve: ({ dag, index }) =>
        Array.from(dag.children.subarray(dag.offsets[index], dag.offsets[index + 1]), (child) => nameOf(dag, child)),
    }),
    triggerRule: t.string({
      description: 'What must have become of its upstreams for it to start, e.g. all_success.',
      resolve: (task) => specOf(task).triggerRule,
    }),
    retries: t.int({ description: 'Further tries after the first.', resolve: (task) => specOf(task).retries }),
    executionTimeout: t.field({
      type: 'Duration',
      nullable: true,
      description: 'Longest a try may run; null: no limit.',
      resolve: (task) => specOf(task).executionTimeout,
    }),
    queue: t.string({ description: 'Workers of this queue run it.', resolve: (task) => specOf(task).queue }),
    priority: t.int({
      description: 'Higher starts first within a queue.',
      resolve: (task) => specOf(task).priority,
    }),
    owner: t.string({ nullable: true, description: 'Who answers for it.', resolve: (task) => specOf(task).owner }),
    docs: t.string({ nullable: true, description: 'Markdown.', resolve: (task) => specOf(task).docs }),
  }),
});

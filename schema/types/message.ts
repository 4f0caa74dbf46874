import type { CompiledDag } from '#db/engine/compiled-dag.ts';
import { type TransitionTuple } from '#db/queries/events.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { EventKindEnum, RunStateEnum, TaskStateEnum } from '../enums.ts';
import type { StreamItem } from '../event-streams.ts';
import { globalId } from '../global-id.ts';
import { formatTaskKey } from '../task-key.ts';
import { DagRunNode } from './dag-run.ts';
import { DagNode } from './dag.ts';
import { dagOfRun } from './task-instance.ts';

interface Transition {
  runId: number;
  dag: CompiledDag;
  at: Date;
  tuple: TransitionTuple;
}

const TaskTransitionType = builder.objectRef<Transition>('TaskTransition').implement({
  description: 'A task instance changed its state.',
  authScopes: { read: true },
  fields: (t) => ({
    taskInstanceId: t.id({
      description: 'Global id of the task instance.',
      resolve: ({ runId, tuple: [taskIndex, mapIndex] }) =>
        globalId('TaskInstance', formatTaskKey({ runId, taskIndex, mapIndex })),
    }),
    taskIndex: t.int({ description: 'The task’s place in the version, from 0.', resolve: ({ tuple }) => tuple[0] }),
    taskId: t.string({
      description: 'The task’s name.',
      resolve: ({ dag, tuple }) => dag.tasks[tuple[0]]?.taskId ?? '',
    }),
    mapIndex: t.int({
      description: 'Which of its copies, -1 when it is not mapped.',
      resolve: ({ tuple }) => tuple[1],
    }),
    state: t.field({ type: TaskStateEnum, description: 'The state it has now.', resolve: ({ tuple }) => tuple[2] }),
    tryNumber: t.int({ description: 'The current or last try; 0 before the first.', resolve: ({ tuple }) => tuple[3] }),
    cause: t.string({
      nullable: true,
      description: 'Why, when a try ended.',
      resolve: ({ tuple }) => tuple[4] ?? null,
    }),
    at: t.field({ type: 'DateTime', description: 'When, by the database’s clock.', resolve: ({ at }) => at }),
  }),
});

async function transitionsOf(item: StreamItem, _args: object, ctx: Context): Promise<Transition[]> {
  const tuples = item.body?.t;
  if (!tuples || item.runId === null) return [];
  const { runId, at } = item;
  const dag = await dagOfRun(ctx, runId);
  return tuples.map((tuple) => ({ runId, dag, at, tuple }));
}

const MessageInterface = builder.interfaceRef<StreamItem>('Message').implement({
  description: 'What every message of a stream of events has.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Subscribe with it as `after` to go on behind this message.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened, by the database’s clock.' }),
    kind: t.expose('kind', { type: EventKindEnum, description: 'CHANGE, or RESYNC: read the snapshot again.' }),
  }),
});

const runIdOf = ({ runId }: StreamItem): string | null => (runId !== null && runId > 0 ? String(runId) : null);
const dagIdOf = ({ runId }: StreamItem): string | null => (runId !== null && runId < 0 ? String(-runId) : null);

export const RunEventType = builder.objectRef<StreamItem>('RunEvent').implement({
  description: 'What happened in one run at one time.',
  interfaces: [MessageInterface],
  authScopes: { read: true },
  fields: (t) => ({
    runState: t.field({
      type: RunStateEnum,
      nullable: true,
      description: 'The run’s new state; null when it did not change.',
      resolve: ({ body }) => body?.run ?? null,
    }),
    transitions: t.field({
      type: [TaskTransitionType],
      description: 'All task instances that changed.',
      resolve: transitionsOf,
    }),
    by: t.string({
      nullable: true,
      description: 'Who did it, when a person or program did.',
      resolve: ({ body }) => body?.by ?? null,
    }),
    dagRun: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'The run as it is when the message is sent.',
      resolve: runIdOf,
    }),
  }),
});

export const DagChangeType = builder.objectRef<StreamItem>('DagChange').implement({
  description: 'A run was made or changed its state, or a DAG changed: what a list of DAGs or runs shows.',
  interfaces: [MessageInterface],
  authScopes: { read: true },
  fields: (t) => ({
    change: t.string({
      nullable: true,
      description:
        '`run`, or of a DAG: deployed, paused, unpaused, deactivated, deleted, skipped (a due run was left out).',
      resolve: ({ body }) => (body ? (body.dag ?? 'run') : null),
    }),
    nodeId: t.id({
      nullable: true,
      description: 'Global id of the run or DAG that changed, even if it is gone.',
      resolve: (item) =>
        runIdOf(item) ? globalId('DagRun', runIdOf(item) ?? '') : dagIdOf(item) && globalId('Dag', dagIdOf(item) ?? ''),
    }),
    runState: t.field({
      type: RunStateEnum,
      nullable: true,
      description: 'The run’s new state.',
      resolve: ({ body }) => body?.run ?? null,
    }),
    dagRun: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'The run as it is when the message is sent.',
      resolve: runIdOf,
    }),
    dag: t.field({
      type: DagNode,
      nullable: true,
      description:
        'The DAG that changed, as it is when the message is sent; null for runs (see dagRun.dag) and when it is gone.',
      resolve: dagIdOf,
    }),
    by: t.string({ nullable: true, description: 'Who did it.', resolve: ({ body }) => body?.by ?? null }),
    why: t.string({
      nullable: true,
      description: 'Why the service did it by itself: the cause of a run’s early end, or a sentence.',
      resolve: ({ body }) => body?.why ?? null,
    }),
  }),
});

export const EventType = builder.objectRef<StreamItem>('Event').implement({
  description: 'One entry of the event log.',
  interfaces: [MessageInterface],
  authScopes: { read: true },
  fields: (t) => ({
    runId: t.string({
      nullable: true,
      description: 'Bare id of the run it belongs to; null for events of a DAG.',
      resolve: runIdOf,
    }),
    dagRun: t.field({ type: DagRunNode, nullable: true, description: 'The run as it is now.', resolve: runIdOf }),
    dag: t.field({
      type: DagNode,
      nullable: true,
      description: 'The DAG of an event of a DAG, as it is now.',
      resolve: dagIdOf,
    }),
    change: t.string({
      nullable: true,
      description: 'Of a DAG: deployed, paused, unpaused, deactivated, deleted.',
      resolve: ({ body }) => body?.dag ?? null,
    }),
    runState: t.field({
      type: RunStateEnum,
      nullable: true,
      description: 'The run’s new state; null when it did not change.',
      resolve: ({ body }) => body?.run ?? null,
    }),
    transitions: t.field({
      type: [TaskTransitionType],
      description: 'The task instances that changed, those that the filter names.',
      resolve: transitionsOf,
    }),
    by: t.string({ nullable: true, description: 'Who did it.', resolve: ({ body }) => body?.by ?? null }),
  }),
});

import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { findLaunches, findLaunchRecords, type LaunchView } from '#db/queries/launch-views.ts';
import { LAUNCH_KINDS, LAUNCH_PHASES, type LaunchKind, type LaunchPhase } from '#db/queries/launches.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { taskKeyOf, formatTaskKey } from '../task-key.ts';
import { TaskInstanceNode } from './task-instance.ts';
import { TaskTryType } from './task-try.ts';

const PHASES: { [Phase in LaunchPhase]: string } = {
  waiting: 'Its object is not asked for yet.',
  creating: 'Its object is being created.',
  created: 'The cluster has it; no node has taken it.',
  scheduled: 'A node has it; its code has not begun.',
  started: 'Its code runs.',
  ended: 'It is over, and being cleaned up.',
};
const KINDS: { [Kind in LaunchKind]: string } = {
  pod: 'A Pod of the task’s own image.',
  runner: 'A Pod of the runner image, in which the task’s code runs.',
  resource: 'An object of another kind.',
};
const enumValues = <Name extends string>(names: readonly Name[], about: { [N in Name]: string }) =>
  Object.fromEntries(names.map((name) => [name.toUpperCase(), { value: name, description: about[name] }])) as {
    [N in Uppercase<Name>]: { value: Name; description: string };
  };

const LaunchPhaseEnum = builder.enumType('LaunchPhase', {
  description: 'How far a task is on its cluster.',
  values: enumValues(LAUNCH_PHASES, PHASES),
});
const LaunchKindEnum = builder.enumType('LaunchKind', {
  description: 'What stands for a task on its cluster.',
  values: enumValues(LAUNCH_KINDS, KINDS),
});

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

const LaunchType = builder.objectRef<LaunchView>('Launch').implement({
  description: 'What a cluster has of a task instance, or had of one of its tries.',
  authScopes: { read: true },
  fields: (t) => ({
    cluster: t.exposeString('cluster', { description: 'Name of the cluster.' }),
    kind: t.expose('kind', { type: LaunchKindEnum, nullable: true, description: 'What stands for it there.' }),
    api: t.exposeString('api', { nullable: true, description: '`<apiVersion> <kind>` of it, where that is known.' }),
    namespace: t.exposeString('namespace', { nullable: true, description: 'Where; null until that is known.' }),
    name: t.exposeString('name', { nullable: true, description: 'Name of the object; null until that is known.' }),
    uid: t.exposeString('uid', { nullable: true, description: 'Of the object.' }),
    node: t.exposeString('node', { nullable: true, description: 'The node that took it.' }),
    phase: t.expose('phase', { type: LaunchPhaseEnum, nullable: true, description: 'Null: that try is over.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'A word for why it does not go on.' }),
    message: t.exposeString('message', { nullable: true, description: 'The same for people.' }),
    claimedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'A launcher has it since; null when that try is over.',
      resolve: (view) => date(view.claimedAt),
    }),
    createdAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The cluster has it since.',
      resolve: (view) => date(view.createdAt),
    }),
    scheduledAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'A node has it since.',
      resolve: (view) => date(view.scheduledAt),
    }),
    startedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Its code runs since.',
      resolve: (view) => date(view.startedAt),
    }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Its code ended at.',
      resolve: (view) => date(view.finishedAt),
    }),
    events: t.field({
      type: ['JSON'],
      description: 'What the cluster wrote down about it; of failures alone.',
      resolve: (view) => view.events,
    }),
  }),
});

const launches = createContextCache(
  (ctx: Context) =>
    new DataLoader<ReturnType<typeof taskKeyOf>, LaunchView | null, string>((keys) => findLaunches(ctx.db, keys), {
      cacheKeyFn: formatTaskKey,
    }),
);
type TryKey = ReturnType<typeof taskKeyOf> & { tryNumber: number };
const records = createContextCache(
  (ctx: Context) =>
    new DataLoader<TryKey, LaunchView | null, string>((keys) => findLaunchRecords(ctx.db, keys), {
      cacheKeyFn: (key) => `${formatTaskKey(key)}#${key.tryNumber}`,
    }),
);

builder.objectField(TaskInstanceNode, 'launch', (t) =>
  t.field({
    type: LaunchType,
    nullable: true,
    description: 'What its cluster has of the current try; null when none has.',
    resolve: (row, _args, ctx) => launches(ctx).load(taskKeyOf(row)),
  }),
);
builder.objectField(TaskTryType, 'launch', (t) =>
  t.field({
    type: LaunchType,
    nullable: true,
    description: 'Where it ran; null when not on a cluster.',
    resolve: (row, _args, ctx) => records(ctx).load({ ...taskKeyOf(row), tryNumber: row.try_number }),
  }),
);

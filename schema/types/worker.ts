import { DRAIN_MODES, type WorkerUsage } from '#db/queries/worker.ts';
import {
  countRunning,
  findWorkerByName,
  findWorkers,
  listWorkers,
  WORKER_STATES,
  type WorkerFilter,
  type WorkerRow,
} from '#db/queries/workers.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger, type PageArgs } from '../connection.ts';
import type { Context } from '../context.ts';
import { loadById } from '../load-by-id.ts';

export const WorkerStateEnum = builder.enumType('WorkerState', {
  description: 'Whether a worker takes tasks.',
  values: {
    ONLINE: { value: WORKER_STATES[0], description: 'It does.' },
    DRAINING: { value: WORKER_STATES[1], description: 'It takes nothing new, and leaves when what it runs has ended.' },
    OFFLINE: { value: WORKER_STATES[2], description: 'It has gone, or was not heard of for a minute.' },
  } as const,
});

export const DrainModeEnum = builder.enumType('DrainMode', {
  description: 'How a worker that takes nothing new comes to its end.',
  values: {
    FINISH: { value: DRAIN_MODES[0], description: 'What it has runs to its end, however long that takes.' },
    HAND_BACK: {
      value: DRAIN_MODES[1],
      description:
        'What has not begun goes back in line at once. What runs is interrupted, as a failure of the infrastructure.',
    },
  } as const,
});

const WorkerLabel = builder.objectRef<[name: string, value: string]>('WorkerLabel').implement({
  description: 'What somebody says of a worker, for people and their tools.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.string({ description: 'Such as `zone`.', resolve: ([name]) => name }),
    value: t.string({ description: 'Such as `a`.', resolve: ([, value]) => value }),
  }),
});

const WorkerUsageType = builder.objectRef<WorkerUsage>('WorkerUsage').implement({
  description:
    'CPU and memory as a worker measured them for its last beat. Of the container that it runs in where that has limits, else of the machine.',
  authScopes: { read: true },
  fields: (t) => ({
    cpus: t.exposeFloat('cpus', { description: 'CPUs there.' }),
    cpuUsed: t.exposeFloat('cpuUsed', {
      nullable: true,
      description: 'CPUs in use there, by everything, since the beat before; null until the second beat.',
    }),
    load: t.exposeFloat('load', { description: 'Load of the machine over the last minute.' }),
    memoryLimit: t.exposeFloat('memoryLimit', { description: 'Bytes of memory there.' }),
    memoryUsed: t.exposeFloat('memoryUsed', {
      description: 'Bytes in use there, by everything, without caches that can be dropped.',
    }),
    ownCpu: t.exposeFloat('ownCpu', {
      nullable: true,
      description: 'CPUs in use by the worker and its tasks since the beat before; null until the second beat.',
    }),
    ownMemory: t.exposeFloat('ownMemory', { description: 'Bytes in use by the worker and its tasks.' }),
  }),
});

export const WorkerNode = builder.loadableNode('Worker', {
  description: 'A process that runs tasks. One that comes back after a pause is another worker of the same name.',
  authScopes: { read: true },
  id: { resolve: (worker: WorkerRow) => worker.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findWorkers(ctx.db, known)),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As it calls itself.' }),
    state: t.expose('state', { type: WorkerStateEnum, description: 'Whether it takes tasks.' }),
    drain: t.expose('drain', {
      type: DrainModeEnum,
      nullable: true,
      description: 'How it was asked to come to its end; null: nobody has asked.',
    }),
    queues: t.exposeStringList('queues', { description: 'The queues it serves.' }),
    slots: t.exposeInt('slots', { description: 'Tasks it runs at once.' }),
    labels: t.field({
      type: [WorkerLabel],
      complexity: { field: 1, multiplier: 3 },
      description: 'What was said of it when it was started (MILLRACE_WORKER_LABELS), by name.',
      resolve: ({ labels }) => Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
    }),
    version: t.exposeString('version', { description: 'The Millrace version it runs.' }),
    hostname: t.exposeString('hostname', { nullable: true, description: 'Where it runs.' }),
    pid: t.exposeInt('pid', { nullable: true, description: 'Its process id there.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', description: 'When it registered.' }),
    lastBeatAt: t.expose('last_beat_at', { type: 'DateTime', description: 'When it was last heard of.' }),
    usage: t.expose('usage', {
      type: WorkerUsageType,
      nullable: true,
      description: 'CPU and memory; null: it has not said.',
    }),
    finished: t.expose('finished', {
      type: 'Int',
      description: 'How many task instances it has brought to an end since its process started.',
    }),
    running: t.loadable({
      type: 'Int',
      description: 'How many task instances it runs now.',
      load: async (ids: number[], ctx) => {
        const counts = await countRunning(ctx.db, ids);
        return ids.map((id) => counts.get(id) ?? 0);
      },
      resolve: (worker) => worker.id,
    }),
  }),
});

const WorkersFilter = builder.inputType('WorkersFilter', {
  description: 'Which workers. All that is given must hold.',
  fields: (t) => ({
    states: t.field({ type: [WorkerStateEnum], description: 'In one of these; ONLINE and DRAINING unless given.' }),
    queue: t.string({ description: 'That serve this queue.' }),
    name: t.string({ description: 'Of this name: its restarts, with OFFLINE among `states`.' }),
  }),
});

const HERE: WorkerFilter['states'] = ['online', 'draining'];

export const workerConnection = (ctx: Context, args: PageArgs & { filter?: typeof WorkersFilter.$inferInput | null }) =>
  keysetConnection(args, {
    toKey: (worker: WorkerRow) => worker.id,
    parseKey: parseInteger,
    load: (page) => listWorkers(ctx.db, { ...args.filter, states: args.filter?.states ?? HERE }, page),
  });

builder.queryFields((t) => ({
  workers: t.connection({
    type: WorkerNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Workers, newest first; without those that have gone, unless asked for.',
    args: { filter: t.arg({ type: WorkersFilter, description: 'Only these.' }) },
    resolve: (_root, args, ctx) => workerConnection(ctx, args),
  }),
  worker: t.field({
    type: WorkerNode,
    nullable: true,
    authScopes: { read: true },
    description: 'The newest worker of a name, gone or not; null when there never was one.',
    args: { name: t.arg.string({ required: true, description: 'As it calls itself.' }) },
    resolve: async (_root, { name }, ctx) => (await findWorkerByName(ctx.db, name)) ?? null,
  }),
}));

const WorkerList = builder.objectRef<{ at: Date }>('WorkerList').implement({
  description: 'The workers as they stand.',
  authScopes: { read: true },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the server looked.' }),
    workers: t.connection({
      type: WorkerNode,
      complexity: pageComplexity,
      description: 'As the query of this name.',
      args: { filter: t.arg({ type: WorkersFilter, description: 'Only these.' }) },
      resolve: (_list, args, ctx) => workerConnection(ctx, args),
    }),
  }),
});

builder.subscriptionField('workerChanges', (t) =>
  t.field({
    type: WorkerList,
    authScopes: { read: true },
    description:
      'The workers, now and each time one comes, goes or is to drain; while tasks run also every other second, and every ten seconds for what workers measure. Subscribe again at any time: each message is complete.',
    subscribe: (_root, _args, ctx) => ctx.events.workerChanges(),
    resolve: (item) => item,
  }),
);

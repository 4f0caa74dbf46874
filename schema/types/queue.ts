import { findQueueFigures, NO_FIGURES, type QueueFigures } from '#db/queries/queue-figures.ts';
import { findQueues, listQueues, type QueueRow } from '#db/queries/queues.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import type { Context } from '../context.ts';

const QueueFiguresType = builder.objectRef<QueueFigures>('QueueFigures').implement({
  description: 'What goes on in a queue.',
  authScopes: { read: true },
  fields: (t) => ({
    depth: t.exposeInt('depth', { description: 'Tasks that are ready and wait for a slot.' }),
    oldestAt: t.expose('oldest_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the one that stands in line longest was queued; null: none does.',
    }),
    oldestSeconds: t.exposeFloat('oldest_seconds', {
      nullable: true,
      description: 'How long ago that is, by the database’s clock.',
    }),
    running: t.exposeInt('running', { description: 'Its task instances that run.' }),
    consumers: t.exposeInt('consumers', { description: 'Workers that are online and serve it.' }),
    slots: t.exposeInt('slots', { description: 'Tasks that they run at once, of all the queues that they serve.' }),
    freeSlots: t.exposeInt('free_slots', { description: 'How many more they could take.' }),
  }),
});

export const QueueNode = builder.loadableNode('Queue', {
  description:
    'A line of ready tasks. It is there as soon as a task names it, a worker serves it, or somebody makes it.',
  authScopes: { read: true },
  id: { resolve: (queue: QueueRow) => queue.name },
  load: async (names: string[], ctx: Context) => {
    const rows = new Map((await findQueues(ctx.db, names)).map((row) => [row.name, row]));
    return names.map((name) => rows.get(name) ?? null);
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Tasks and workers name it.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    paused: t.boolean({
      description: 'Whether its ready tasks are kept back. Those that run go on.',
      resolve: (queue) => queue.paused_at !== null,
    }),
    pausedAt: t.expose('paused_at', { type: 'DateTime', nullable: true, description: 'Since when it is paused.' }),
    pausedBy: t.exposeString('paused_by', { nullable: true, description: 'Who has paused it.' }),
    figures: t.loadable({
      type: QueueFiguresType,
      complexity: 5,
      description: 'What goes on in it now.',
      load: async (names: string[], ctx: Context) => {
        const figures = await findQueueFigures(ctx.db, names);
        return names.map((name) => figures.get(name) ?? NO_FIGURES);
      },
      resolve: (queue) => queue.name,
    }),
    createdAt: t.expose('created_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was first named or made; null: only a worker speaks of it.',
    }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', nullable: true, description: 'When it was last changed.' }),
    updatedBy: t.exposeString('updated_by', { nullable: true, description: 'Who changed it; null: nobody yet.' }),
  }),
});

/** Any text may be a key: a name that is not there has its place in the order too. */
const parseName = (text: string): string | undefined => (text.includes('\0') ? undefined : text);

builder.queryFields((t) => ({
  queues: t.connection({
    type: QueueNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'All queues, by name, but for those of the service itself.',
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (queue: QueueRow) => queue.name,
        parseKey: parseName,
        load: (page) => listQueues(ctx.db, page),
      }),
  }),
  queue: t.field({
    type: QueueNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A queue by name; null when nobody knows it.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: async (_root, { name }, ctx) => (await findQueues(ctx.db, [name]))[0] ?? null,
  }),
}));

const QueueList = builder.objectRef<{ at: Date }>('QueueList').implement({
  description: 'The queues as they stand.',
  authScopes: { read: true },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the server heard of the change.' }),
    queues: t.connection({
      type: QueueNode,
      complexity: pageComplexity,
      description: 'As the query of this name.',
      resolve: (_list, args, ctx) =>
        keysetConnection(args, {
          toKey: (queue: QueueRow) => queue.name,
          parseKey: parseName,
          load: (page) => listQueues(ctx.db, page),
        }),
    }),
  }),
});

builder.subscriptionField('queueChanges', (t) =>
  t.field({
    type: QueueList,
    authScopes: { read: true },
    description:
      'The queues, now and each time one of them is paused, resumed or changed; while tasks run also every other second. Subscribe again at any time: each message is complete.',
    subscribe: (_root, _args, ctx) => ctx.events.queueChanges(),
    resolve: (item) => item,
  }),
);

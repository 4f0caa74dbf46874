import { z } from 'zod';
import {
  deleteQueue,
  findQueues,
  pauseQueue,
  resumeQueue,
  setQueue,
  type QueueRow,
  type QueueUse,
} from '#db/queries/queues.ts';
import { VALUE_NAME_PATTERN } from '#sdk/connections.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { globalId } from '../global-id.ts';
import { storableText } from '../storable-text.ts';
import { QueueNode } from './queue.ts';

const queueName = z.string().regex(VALUE_NAME_PATTERN, 'A name has 1 to 200 of the characters A-Z a-z 0-9 _ . -');

const SetQueueInput = builder.inputType('SetQueueInput', {
  description: 'A queue to make, or to change.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Letters, digits and _ . -', validate: queueName }),
    description: t.string({
      description: 'What it is for; null: nothing is said; not given: as it was.',
      validate: storableText(2_000),
    }),
  }),
});
const WHICH = { required: true, description: 'Its name.', validate: queueName } as const;
const PauseQueueInput = builder.inputType('PauseQueueInput', {
  description: 'Which queue to pause.',
  fields: (t) => ({ name: t.string(WHICH) }),
});
const ResumeQueueInput = builder.inputType('ResumeQueueInput', {
  description: 'Which queue to go on with.',
  fields: (t) => ({ name: t.string(WHICH) }),
});
const DeleteQueueInput = builder.inputType('DeleteQueueInput', {
  description: 'Which queue to delete.',
  fields: (t) => ({ name: t.string(WHICH) }),
});
const DeletedQueue = builder.objectRef<{ name: string }>('DeletedQueue').implement({
  description: 'A queue that is gone.',
  authScopes: { edit: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ name }) => globalId('Queue', name) }),
    deletedName: t.exposeString('name', { description: 'The name it had.' }),
  }),
});

const missing = (name: string) => new NotFoundError(`queue "${name}": no task names it and no worker serves it`);

async function find(ctx: Context, name: string): Promise<QueueRow> {
  const [row] = await findQueues(ctx.db, [name]);
  if (row) return row;
  throw missing(name);
}

async function change(
  ctx: Context,
  name: string,
  write: (db: Context['db'], name: string, actor: string) => Promise<void>,
): Promise<QueueRow> {
  await find(ctx, name);
  await write(ctx.db, name, actorOf(ctx));
  await ctx.engine.queuesChanged();
  return find(ctx, name);
}

async function set(ctx: Context, { name, description }: typeof SetQueueInput.$inferInput): Promise<QueueRow> {
  await setQueue(ctx.db, { name, ...(description !== undefined && { description }) }, actorOf(ctx));
  return find(ctx, name);
}

const IN_USE: { [use in QueueUse]: string } = {
  tasks: 'tasks of active DAGs name it',
  ready: 'tasks stand in it',
  workers: 'workers serve it',
};

async function remove(ctx: Context, name: string) {
  const outcome = await deleteQueue(ctx.db, name, actorOf(ctx));
  if (outcome === null) throw missing(name);
  if (outcome === 'deleted') {
    // It may have been paused
    await ctx.engine.queuesChanged();
    return { name };
  }
  throw new ConflictError(
    'QUEUE_IN_USE',
    `Queue "${name}" is in use: ${IN_USE[outcome]}. It would be there again at once.`,
  );
}

builder.mutationFields((t) => ({
  setQueue: t.field({
    type: QueueNode,
    authScopes: { edit: true },
    errors: { types: [ValidationError] },
    description: 'Makes a queue known before anybody names it, or says what it is for.',
    args: { input: t.arg({ type: SetQueueInput, required: true }) },
    resolve: (_root, { input }, ctx) => set(ctx, input),
  }),
  pauseQueue: t.field({
    type: QueueNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description:
      'Keeps the ready tasks of a queue back; those that run go on. Once this is answered, this server hands out none of them, and others none a moment later.',
    args: { input: t.arg({ type: PauseQueueInput, required: true }) },
    resolve: (_root, { input }, ctx) => change(ctx, input.name, pauseQueue),
  }),
  resumeQueue: t.field({
    type: QueueNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Lets the tasks of a queue go on. Its workers are woken.',
    args: { input: t.arg({ type: ResumeQueueInput, required: true }) },
    resolve: (_root, { input }, ctx) => change(ctx, input.name, resumeQueue),
  }),
  deleteQueue: t.field({
    type: DeletedQueue,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError, ValidationError] },
    description: 'Forgets a queue that no task names, no worker serves and nothing stands in.',
    args: { input: t.arg({ type: DeleteQueueInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input.name),
  }),
}));

import { z } from 'zod';
import { poolGates } from '#db/engine/gates.ts';
import { createPool, deletePool, listPools, updatePool, type PoolRow } from '#db/queries/pools.ts';
import { VALUE_NAME_PATTERN } from '#sdk/connections.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { storableText } from '../storable-text.ts';

const PoolType = builder.objectRef<PoolRow>('Pool').implement({
  description: 'A limit on how many tasks run at once, shared by DAGs.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the service.' }),
    slots: t.exposeInt('slots', { description: 'What it has. A task takes one, or as many as its poolSlots.' }),
    includeDeferred: t.exposeBoolean('include_deferred', {
      description: 'Whether tasks keep their slots while they wait without a worker.',
    }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    queued: t.exposeInt('queued', { description: 'Slots of tasks that may start now.' }),
    running: t.exposeInt('running', { description: 'Slots of tasks that run.' }),
    deferred: t.exposeInt('deferred', { description: 'Slots of tasks that wait without a worker.' }),
    open: t.int({
      description: 'Slots that are free.',
      resolve: (pool) => Math.max(0, pool.slots - pool.queued - pool.running - pool.deferred),
    }),
    waiting: t.exposeInt('waiting', { description: 'Task instances that wait for slots.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
});

const MOST_SLOTS = 1_000_000;
const poolName = z.string().regex(VALUE_NAME_PATTERN, 'A name has 1 to 200 of the characters A-Z a-z 0-9 _ . -');
const slotCount = z.number().int().min(0).max(MOST_SLOTS);
const aboutText = storableText(2_000);

const CreatePoolInput = builder.inputType('CreatePoolInput', {
  description: 'A pool to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Letters, digits and _ . -', validate: poolName }),
    slots: t.int({ required: true, description: 'How many; 0 lets nothing pass.', validate: slotCount }),
    includeDeferred: t.boolean({ description: 'Whether deferred tasks keep their slots; false when not given.' }),
    description: t.string({ description: 'What it is for.', validate: aboutText }),
  }),
});
const UpdatePoolInput = builder.inputType('UpdatePoolInput', {
  description: 'A pool to change. What is not given stays as it is.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Which one.', validate: poolName }),
    slots: t.int({ description: 'How many. Who runs already goes on.', validate: slotCount }),
    includeDeferred: t.boolean({ description: 'Whether deferred tasks keep their slots.' }),
    description: t.string({ description: 'What it is for; null: nothing is said.', validate: aboutText }),
  }),
});
const DeletePoolInput = builder.inputType('DeletePoolInput', {
  description: 'Which pool to delete.',
  fields: (t) => ({ name: t.string({ required: true, description: 'Its name.', validate: poolName }) }),
});
const DeletedPool = builder.objectRef<{ name: string }>('DeletedPool').implement({
  description: 'A pool that is gone.',
  authScopes: { edit: true },
  fields: (t) => ({ deletedName: t.exposeString('name', { description: 'The name it had.' }) }),
});

/** Those who wait for it may pass now, or have another reason to wait. */
async function changed(ctx: Context, name: string): Promise<PoolRow> {
  await ctx.engine.wakeGates(poolGates(name));
  const [pool] = await listPools(ctx.db, [name]);
  if (!pool) throw new NotFoundError(`pool "${name}"`);
  return pool;
}

async function create(ctx: Context, input: typeof CreatePoolInput.$inferInput): Promise<PoolRow> {
  const { name, slots, includeDeferred, description } = input;
  const pool = { name, slots, includeDeferred: includeDeferred ?? false, description: description ?? null };
  if (!(await createPool(ctx.db, pool, actorOf(ctx))))
    throw new ConflictError('POOL_EXISTS', `There is a pool "${name}" already. Change that one.`);
  return changed(ctx, name);
}

async function update(ctx: Context, input: typeof UpdatePoolInput.$inferInput): Promise<PoolRow> {
  const { name, slots, includeDeferred, description } = input;
  const change = {
    ...(slots != null && { slots }),
    ...(includeDeferred != null && { includeDeferred }),
    ...(description !== undefined && { description }),
  };
  if (!(await updatePool(ctx.db, name, change, actorOf(ctx)))) throw new NotFoundError(`pool "${name}"`);
  return changed(ctx, name);
}

async function remove(ctx: Context, name: string) {
  if (!(await deletePool(ctx.db, name, actorOf(ctx)))) throw new NotFoundError(`pool "${name}"`);
  return { name };
}

builder.mutationFields((t) => ({
  createPool: t.field({
    type: PoolType,
    authScopes: { edit: true },
    errors: { types: [ConflictError, ValidationError] },
    description: 'Makes a pool. Tasks that wait for one of its name may start.',
    args: { input: t.arg({ type: CreatePoolInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
  updatePool: t.field({
    type: PoolType,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Changes a pool. With more slots, more of those who wait start at once.',
    args: { input: t.arg({ type: UpdatePoolInput, required: true }) },
    resolve: (_root, { input }, ctx) => update(ctx, input),
  }),
  deletePool: t.field({
    type: DeletedPool,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Deletes a pool. Its tasks go on if they run; others wait until there is a pool of the name again.',
    args: { input: t.arg({ type: DeletePoolInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input.name),
  }),
}));

builder.queryFields((t) => ({
  pools: t.field({
    type: [PoolType],
    authScopes: { read: true },
    complexity: 20,
    description: 'All pools, by name.',
    resolve: (_root, _args, ctx) => listPools(ctx.db),
  }),
  pool: t.field({
    type: PoolType,
    nullable: true,
    authScopes: { read: true },
    description: 'A pool by name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: async (_root, { name }, ctx) => (await listPools(ctx.db, [name]))[0] ?? null,
  }),
}));

import { z } from 'zod';
import { MAX_EXTRA_LENGTH } from '#sdk/asset-events.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import type { Json } from '#sdk/protocol.ts';
import { findUnstorable } from '#sdk/storable.ts';
import {
  createAssetEvent,
  findAssetByName,
  findAssets,
  lastAssetEvents,
  listAssetEvents,
  listAssetLinks,
  listAssets,
  listRunAssetEvents,
  type AssetEventRow,
  type AssetLink,
  type AssetRow,
} from '#db/queries/assets.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger } from '../connection.ts';
import { actorOf, type Context } from '../context.ts';
import { NotFoundError, ValidationError } from '../errors.ts';
import { loadById } from '../load-by-id.ts';
import { storableText } from '../storable-text.ts';
import { DagRunNode } from './dag-run.ts';
import { DagNode } from './dag.ts';

/** Tasks and DAGs of one asset that are told at once. */
const MOST_LINKS = 1000;
const MOST_OF_RUN = 200;

const AssetNode = builder.loadableNode('Asset', {
  description:
    'Something that tasks update and DAGs wait for: a table, a file, a model. Known as soon as a DAG names it.',
  authScopes: { read: true },
  id: { resolve: (asset: AssetRow) => asset.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findAssets(ctx.db, known)),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the service.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When a DAG first named it.' }),
  }),
});

const AssetProducerType = builder.objectRef<AssetLink>('AssetProducer').implement({
  description: 'A task that updates an asset when it succeeds.',
  authScopes: { read: true },
  fields: (t) => ({
    dag: t.field({ type: DagNode, description: 'Its DAG.', resolve: (link) => String(link.dag_id) }),
    taskId: t.string({ description: 'Its name.', resolve: (link) => link.task_id ?? '' }),
  }),
});

const AssetEventType = builder.objectRef<AssetEventRow>('AssetEvent').implement({
  description: 'An update of an asset.',
  authScopes: { read: true },
  fields: (t) => ({
    eventId: t.string({ description: 'A decimal number that grows with time.', resolve: (event) => String(event.id) }),
    asset: t.field({ type: AssetNode, description: 'What was updated.', resolve: (event) => String(event.asset_id) }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was recorded.' }),
    extra: t.field({ type: 'JSON', description: 'What was said with it, an object.', resolve: (event) => event.extra }),
    dagId: t.exposeString('dag_name', { nullable: true, description: 'DAG of the task that updated it.' }),
    taskId: t.exposeString('task_id', { nullable: true, description: 'That task; null: something outside did.' }),
    runKey: t.exposeString('run_key', { nullable: true, description: 'That task’s run.' }),
    mapIndex: t.exposeInt('map_index', { nullable: true, description: 'That task’s instance; -1: it is not mapped.' }),
    tryNumber: t.exposeInt('try_number', { nullable: true, description: 'That task’s try, from 1.' }),
    createdBy: t.exposeString('created_by', { nullable: true, description: 'Who said so, from outside.' }),
    run: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'That task’s run; null also when it is gone.',
      resolve: (event) => (event.run_id === null ? null : String(event.run_id)),
    }),
  }),
});

const byAsset = async (ctx: Context, ids: number[]) => {
  const links = await listAssetLinks(ctx.db, ids, MOST_LINKS * ids.length);
  return ids.map((id) => links.filter((link) => link.asset_id === id));
};

builder.objectFields(AssetNode, (t) => ({
  producers: t.loadableList({
    type: AssetProducerType,
    description: 'Tasks that update it, by DAG; at most 1,000 of these and of consumers.',
    load: async (ids: number[], ctx) =>
      (await byAsset(ctx, ids)).map((links) => links.filter((link) => link.task_id !== null)),
    resolve: (asset) => asset.id,
  }),
  consumers: t.field({
    type: [DagNode],
    description: 'DAGs whose schedule waits for it, by name.',
    resolve: async ({ id }, _args, ctx) =>
      (await listAssetLinks(ctx.db, [id], MOST_LINKS)).flatMap((link) =>
        link.task_id === null ? [String(link.dag_id)] : [],
      ),
  }),
  lastEvent: t.loadable({
    type: AssetEventType,
    nullable: true,
    description: 'Its newest update; null: none yet.',
    load: async (ids: number[], ctx) => {
      const rows = new Map((await lastAssetEvents(ctx.db, ids)).map((row) => [row.asset_id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    },
    resolve: (asset) => asset.id,
  }),
  events: t.connection({
    type: AssetEventType,
    complexity: pageComplexity,
    description: 'Its updates, newest first.',
    resolve: ({ id }, args, ctx) =>
      keysetConnection(args, {
        toKey: (event: AssetEventRow) => event.id,
        parseKey: parseInteger,
        load: (page) => listAssetEvents(ctx.db, id, page),
      }),
  }),
}));

builder.objectFields(DagRunNode, (t) => ({
  assetEvents: t.loadableList({
    type: AssetEventType,
    description: 'What a run of kind `ASSET` was made for, oldest first; the newest 200.',
    load: async (ids: number[], ctx) => {
      const rows = await listRunAssetEvents(ctx.db, ids, MOST_OF_RUN);
      return ids.map((id) => rows.filter((row) => row.for_run === id));
    },
    resolve: (run) => run.id,
  }),
}));

const CreateAssetEventInput = builder.inputType('CreateAssetEventInput', {
  description: 'An update of an asset by something that is no task.',
  fields: (t) => ({
    asset: t.string({ required: true, description: 'Its name.', validate: z.string().min(1).max(300) }),
    extra: t.field({ type: 'JSON', description: 'What to say with it: an object of at most 64 KiB.' }),
    idempotencyKey: t.string({
      description: 'Asking again with the same key gives the same event; 1 to 200 characters.',
      validate: storableText(200).min(1),
    }),
  }),
});

/** What cannot be stored is refused here. */
function readExtra(extra: unknown): { [key: string]: Json } {
  const refuse = (message: string, path: string[] = []) =>
    new ValidationError([{ path: ['input', 'extra', ...path], message }]);
  if (extra == null) return {};
  if (!isPlainObject(extra)) throw refuse('It must be an object.');
  const text = JSON.stringify(extra);
  if (text.length > MAX_EXTRA_LENGTH)
    throw refuse(`It has ${text.length} characters as JSON; at most ${MAX_EXTRA_LENGTH} are allowed.`);
  const unstorable = findUnstorable(extra);
  if (unstorable) throw refuse(unstorable.message, unstorable.path);
  return extra as { [key: string]: Json };
}

async function create(ctx: Context, input: typeof CreateAssetEventInput.$inferInput): Promise<AssetEventRow> {
  const { asset, extra, idempotencyKey = null } = input;
  const update = { asset, extra: readExtra(extra), idempotencyKey, actor: actorOf(ctx) };
  const event = await createAssetEvent(ctx.db, update);
  if (!event) throw new NotFoundError(`asset "${asset}": no DAG names it`);
  return event;
}

builder.mutationField('createAssetEvent', (t) =>
  t.field({
    type: AssetEventType,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Says that an asset was updated outside of any task. DAGs that wait for it follow at once.',
    args: { input: t.arg({ type: CreateAssetEventInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
);

builder.queryFields((t) => ({
  asset: t.field({
    type: AssetNode,
    nullable: true,
    authScopes: { read: true },
    description: 'An asset by name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: (_root, { name }, ctx) => findAssetByName(ctx.db, name),
  }),
  assets: t.connection({
    type: AssetNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'All assets, by name.',
    args: { search: t.arg.string({ description: 'Part of the name, in any case; at most 200 characters.' }) },
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (row: AssetRow) => row.name,
        parseKey: (text) => text,
        load: (page) => listAssets(ctx.db, args.search?.slice(0, 200) ?? null, page),
      }),
  }),
  assetEvents: t.connection({
    type: AssetEventType,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Updates of all assets, newest first.',
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (event: AssetEventRow) => event.id,
        parseKey: parseInteger,
        load: (page) => listAssetEvents(ctx.db, null, page),
      }),
  }),
}));

import {
  createConnection,
  deleteConnection,
  findConnections,
  listConnections,
  type ConnectionRow,
} from '#db/queries/connections.ts';
import { CONNECTION_KINDS } from '#sdk/connections.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import { checkNewConnection, changeConnection } from '../connection-input.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { globalId } from '../global-id.ts';

const KINDS = CONNECTION_KINDS.join(', ');

const ConnectionNode = builder.loadableNode('Connection', {
  description: 'What tasks need to reach something, under a name. Its secrets are never shown again.',
  authScopes: { read: true },
  id: { resolve: (connection: ConnectionRow) => connection.id },
  load: async (ids: string[], ctx: Context) => {
    const rows = new Map((await findConnections(ctx.db, ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  },
  fields: (t) => ({
    connectionId: t.exposeString('id', { description: 'The name that tasks use, unique in the service.' }),
    kind: t.exposeString('kind', { description: `One of ${KINDS}.` }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    host: t.exposeString('host', { nullable: true, description: 'Name or address; for http and webhook also a URL.' }),
    port: t.exposeInt('port', { nullable: true, description: 'Null: the usual one.' }),
    schema: t.exposeString('schema', { nullable: true, description: 'Database, or path.' }),
    login: t.exposeString('login', { nullable: true, description: 'User.' }),
    hasPassword: t.exposeBoolean('has_password', { description: 'Whether there is a password; never which.' }),
    extra: t.field({
      type: 'JSON',
      description: 'Further settings that are no secret.',
      resolve: ({ extra }) => extra,
    }),
    secretExtraKeys: t.exposeStringList('secret_keys', { description: 'Names of the settings that are secret.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it was last changed.' }),
    updatedBy: t.exposeString('updated_by', { description: 'Who changed it.' }),
  }),
});

const PASSWORD = 'Stored encrypted, and never shown again. For slack the last parts of the webhook’s address.';
const EXTRA = 'Further settings, an object: for http `{"headers": …}`, for postgres `{"sslmode": "require"}`.';
const SECRET_EXTRA = 'Further settings that are secret, an object; tasks get them in `extra`.';

export const CreateConnectionInput = builder.inputType('CreateConnectionInput', {
  description: 'A connection.',
  fields: (t) => ({
    connectionId: t.string({ required: true, description: 'Letters, digits and _ . -' }),
    kind: t.string({ required: true, description: `One of ${KINDS}.` }),
    description: t.string({ description: 'What it is for.' }),
    host: t.string({ description: 'Name or address; for http and webhook also a URL.' }),
    port: t.int({ description: 'When not the usual one.' }),
    schema: t.string({ description: 'Database, or path.' }),
    login: t.string({ description: 'User.' }),
    password: t.string({ description: PASSWORD }),
    extra: t.field({ type: 'JSON', description: EXTRA }),
    secretExtra: t.field({ type: 'JSON', description: SECRET_EXTRA }),
  }),
});

export const UpdateConnectionInput = builder.inputType('UpdateConnectionInput', {
  description: 'What to change of a connection: a field that is not given stays, null clears it.',
  fields: (t) => ({
    connectionId: t.string({ required: true, description: 'Which one.' }),
    kind: t.string({ description: `One of ${KINDS}.` }),
    description: t.string({ description: 'What it is for.' }),
    host: t.string({ description: 'Name or address; for http and webhook also a URL.' }),
    port: t.int({ description: 'Null: the usual one.' }),
    schema: t.string({ description: 'Database, or path.' }),
    login: t.string({ description: 'User.' }),
    password: t.string({ description: PASSWORD }),
    extra: t.field({ type: 'JSON', description: EXTRA }),
    secretExtra: t.field({ type: 'JSON', description: `${SECRET_EXTRA} Replaces all of them.` }),
  }),
});

const DeleteConnectionInput = builder.inputType('DeleteConnectionInput', {
  description: 'Which connection to delete.',
  fields: (t) => ({ connectionId: t.string({ required: true, description: 'Its name.' }) }),
});
const DeletedConnection = builder.objectRef<{ id: string }>('DeletedConnection').implement({
  description: 'A connection that is gone.',
  authScopes: { edit: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ id }) => globalId('Connection', id) }),
    deletedConnectionId: t.exposeString('id', { description: 'The name it had.' }),
  }),
});

async function create(ctx: Context, input: typeof CreateConnectionInput.$inferInput): Promise<ConnectionRow> {
  const row = await createConnection(ctx.db, ctx.vault, checkNewConnection(input), actorOf(ctx));
  if (row) return row;
  throw new ConflictError('CONNECTION_EXISTS', `There is a connection "${input.connectionId}" already: update it.`);
}

async function remove(ctx: Context, id: string) {
  if (!(await deleteConnection(ctx.db, id, actorOf(ctx)))) throw new NotFoundError(`connection "${id}"`);
  return { id };
}

builder.mutationFields((t) => ({
  createConnection: t.field({
    type: ConnectionNode,
    authScopes: { edit: true },
    errors: { types: [ValidationError, ConflictError] },
    description: 'Makes a connection.',
    args: { input: t.arg({ type: CreateConnectionInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
  updateConnection: t.field({
    type: ConnectionNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Changes a connection. Tasks that start from now on get it so.',
    args: { input: t.arg({ type: UpdateConnectionInput, required: true }) },
    resolve: (_root, { input }, ctx) => changeConnection(ctx, input),
  }),
  deleteConnection: t.field({
    type: DeletedConnection,
    authScopes: { edit: true },
    errors: { types: [NotFoundError] },
    description: 'Deletes a connection. Tasks that name it fail from now on.',
    args: { input: t.arg({ type: DeleteConnectionInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input.connectionId),
  }),
}));

builder.queryFields((t) => ({
  connection: t.field({
    type: ConnectionNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A connection by name; null when there is none.',
    args: { connectionId: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: async (_root, { connectionId }, ctx) => (await findConnections(ctx.db, [connectionId]))[0] ?? null,
  }),
  connections: t.connection({
    type: ConnectionNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'All connections, by name.',
    args: {
      search: t.arg.string({ description: 'Part of the name, in any case; at most 200 characters.' }),
      kind: t.arg.string({ description: 'Only of this kind.' }),
    },
    resolve: (_root, { search, kind, ...page }, ctx) =>
      keysetConnection(page, {
        toKey: (row: ConnectionRow) => row.id,
        parseKey: (text) => text,
        load: (range) => listConnections(ctx.db, { search: search?.slice(0, 200) ?? null, kind: kind ?? null }, range),
      }),
  }),
}));

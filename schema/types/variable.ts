import { z } from 'zod';
import { deleteVariable, findVariables, listVariables, saveVariable, type VariableRow } from '#db/queries/variables.ts';
import { looksSecret, VALUE_NAME_PATTERN } from '#sdk/connections.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import { actorOf, type Context } from '../context.ts';
import { NotFoundError, ValidationError } from '../errors.ts';
import { globalId } from '../global-id.ts';
import { storableText } from '../storable-text.ts';

const MOST_VALUE = 262_144;
const valueName = z
  .string()
  .regex(VALUE_NAME_PATTERN, 'A name has 1 to 200 of the characters A-Z a-z 0-9 _ . -')
  .describe('name');

export const VariableNode = builder.loadableNode('Variable', {
  description: 'A value that tasks read by its key. That of a secret one is never shown again.',
  authScopes: { read: true },
  id: { resolve: (variable: VariableRow) => variable.key },
  load: async (keys: string[], ctx: Context) => {
    const rows = new Map((await findVariables(ctx.db, keys)).map((row) => [row.key, row]));
    return keys.map((key) => rows.get(key) ?? null);
  },
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Unique in the service.' }),
    value: t.exposeString('value', { nullable: true, description: 'Null when it is secret.' }),
    secret: t.boolean({ description: 'Whether its value is hidden.', resolve: ({ value }) => value === null }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it last got a value.' }),
    updatedBy: t.exposeString('updated_by', { description: 'Who gave it that.' }),
  }),
});

const SetVariableInput = builder.inputType('SetVariableInput', {
  description: 'A variable and its value.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'Letters, digits and _ . -', validate: valueName }),
    value: t.string({ required: true, description: 'Text; JSON for `var.json`.', validate: storableText(MOST_VALUE) }),
    secret: t.boolean({
      description: 'Hide it. When not given: as it was; a new one if its key looks so (password, token, …).',
    }),
    description: t.string({ description: 'What it is for; as it was when not given.', validate: storableText(2_000) }),
  }),
});
const DeleteVariableInput = builder.inputType('DeleteVariableInput', {
  description: 'Which variable to delete.',
  fields: (t) => ({ key: t.string({ required: true, description: 'Its key.' }) }),
});
const DeletedVariable = builder.objectRef<{ key: string }>('DeletedVariable').implement({
  description: 'A variable that is gone.',
  authScopes: { edit: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ key }) => globalId('Variable', key) }),
    deletedKey: t.exposeString('key', { description: 'The key it had.' }),
  }),
});

async function set(ctx: Context, input: typeof SetVariableInput.$inferInput): Promise<VariableRow> {
  const { key, value, description } = input;
  const [known] = await findVariables(ctx.db, [key]);
  const secret = input.secret ?? (known ? known.value === null : looksSecret(key));
  return saveVariable(ctx.db, ctx.vault, { key, value, secret, description }, actorOf(ctx));
}

async function remove(ctx: Context, key: string) {
  if (!(await deleteVariable(ctx.db, key, actorOf(ctx)))) throw new NotFoundError(`variable "${key}"`);
  return { key };
}

builder.mutationFields((t) => ({
  setVariable: t.field({
    type: VariableNode,
    authScopes: { edit: true },
    errors: { types: [ValidationError] },
    description: 'Makes a variable, or gives it another value. Tasks that start from now on get it.',
    args: { input: t.arg({ type: SetVariableInput, required: true }) },
    resolve: (_root, { input }, ctx) => set(ctx, input),
  }),
  deleteVariable: t.field({
    type: DeletedVariable,
    authScopes: { edit: true },
    errors: { types: [NotFoundError] },
    description: 'Deletes a variable. Tasks that name it fail from now on.',
    args: { input: t.arg({ type: DeleteVariableInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input.key),
  }),
}));

builder.queryFields((t) => ({
  variable: t.field({
    type: VariableNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A variable by key; null when there is none.',
    args: { key: t.arg.string({ required: true, description: 'Its key.' }) },
    resolve: async (_root, { key }, ctx) => (await findVariables(ctx.db, [key]))[0] ?? null,
  }),
  variables: t.connection({
    type: VariableNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'All variables, by key.',
    args: { search: t.arg.string({ description: 'Part of the key, in any case; at most 200 characters.' }) },
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (row: VariableRow) => row.key,
        parseKey: (text) => text,
        load: (page) => listVariables(ctx.db, { search: args.search?.slice(0, 200) ?? null }, page),
      }),
  }),
}));

import { z } from 'zod';
import { findApiTokens, listApiTokens, revokeApiToken, type ApiTokenRow } from '#db/queries/api-tokens.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger } from '../connection.ts';
import type { Context } from '../context.ts';
import { RoleEnum } from '../enums.ts';
import { NotFoundError, ValidationError } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { loadById } from '../load-by-id.ts';

const ApiTokenNode = builder.loadableNode('ApiToken', {
  description: 'A credential for programs. The token itself is shown once, when it is made.',
  authScopes: { administer: true },
  id: { resolve: (token: ApiTokenRow) => token.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findApiTokens(ctx.db, known)),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is for.' }),
    role: t.expose('role', { type: RoleEnum, description: 'What it may do.' }),
    createdBy: t.exposeString('created_by', { nullable: true, description: 'Who made it.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expires_at', { type: 'DateTime', description: 'When it ends.' }),
    lastUsedAt: t.expose('last_used_at', { type: 'DateTime', nullable: true, description: 'To the minute.' }),
    revokedAt: t.expose('revoked_at', { type: 'DateTime', nullable: true, description: 'When it was taken back.' }),
  }),
});

const CreatedApiToken = builder.objectRef<{ token: string; row: ApiTokenRow }>('CreatedApiToken').implement({
  description: 'A token that has just been made.',
  authScopes: { administer: true },
  fields: (t) => ({
    token: t.exposeString('token', {
      description: 'Send it as `Authorization: Bearer <token>`. It is not shown again.',
    }),
    name: t.string({ description: 'What it is for.', resolve: ({ row }) => row.name }),
    role: t.field({ type: RoleEnum, description: 'What it may do.', resolve: ({ row }) => row.role }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it ends.', resolve: ({ row }) => row.expires_at }),
    apiToken: t.field({ type: ApiTokenNode, description: 'What is kept of it.', resolve: ({ row }) => row }),
  }),
});

const CreateApiTokenInput = builder.inputType('CreateApiTokenInput', {
  description: 'A credential for a program.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'What it is for; 1 to 200 characters.',
      validate: z.string().trim().min(1).max(200),
    }),
    role: t.field({ type: RoleEnum, required: true, description: 'Any but RUNNER.' }),
    expiresInDays: t.int({ required: true, description: 'From 1 to 366.', validate: z.int().min(1).max(366) }),
  }),
});

const RevokeApiTokenInput = builder.inputType('RevokeApiTokenInput', {
  description: 'Which token to take back.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Its global id, or the number within the token.' }) }),
});

builder.mutationFields((t) => ({
  createApiToken: t.field({
    type: CreatedApiToken,
    authScopes: { administer: true },
    errors: { types: [ValidationError] },
    description: 'Makes a credential for a program.',
    args: { input: t.arg({ type: CreateApiTokenInput, required: true }) },
    resolve: (_root, { input: { name, role, expiresInDays } }, ctx) => {
      if (role === 'runner')
        throw new ValidationError([
          { path: ['input', 'role'], message: 'RUNNER is for the tokens that come with a dispatch.' },
        ]);
      return ctx.access.createApiToken({ name, role, expiresInDays });
    },
  }),
  revokeApiToken: t.field({
    type: ApiTokenNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Takes a token back, at once and for ever: open connections that use it are closed.',
    args: { input: t.arg({ type: RevokeApiTokenInput, required: true }) },
    resolve: (_root, { input }, ctx) => revoke(ctx, input.id),
  }),
}));

async function revoke(ctx: Context, id: string): Promise<ApiTokenRow> {
  const row = await revokeApiToken(ctx.db, parseNumericId('ApiToken', id) ?? 0);
  if (!row) throw new NotFoundError(`token "${id}"`);
  return row;
}

builder.queryField('apiTokens', (t) =>
  t.connection({
    type: ApiTokenNode,
    authScopes: { administer: true },
    complexity: pageComplexity,
    description: 'All tokens, newest first.',
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (token: ApiTokenRow) => token.id,
        parseKey: parseInteger,
        load: (page) => listApiTokens(ctx.db, page),
      }),
  }),
);

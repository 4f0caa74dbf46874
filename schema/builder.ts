/** Plugins, scalars and who may what. Types are in types/, one file per noun. */
import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import SimpleObjectsPlugin from '@pothos/plugin-simple-objects';
import ValidationPlugin from '@pothos/plugin-validation';
import { GraphQLError } from 'graphql';
import type { Context, Role } from './context.ts';
import { ValidationError } from './validation-error.ts';

/** Above what the page's largest view asks for: a run with 200 task instances in full. */
export const COMPLEXITY_LIMIT = { complexity: 20_000, depth: 12, breadth: 200 };

interface SchemaTypes {
  Context: Context;
  DefaultFieldNullability: false;
  AuthScopes: {
    /** See DAGs, runs, tasks and logs. */
    read: boolean;
    /** Deploy, trigger, cancel, clear, mark, pause. */
    edit: boolean;
    /** Tokens, deletion. */
    administer: boolean;
    /** Register and claim as a worker. */
    work: boolean;
    /** Say what became of a dispatch: workers, and runners for their own one. */
    run: boolean;
  };
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    Duration: { Input: number; Output: number };
    JSON: { Input: unknown; Output: unknown };
    ID: { Input: string; Output: string | number };
  };
}

const may = (role: Role | undefined, ...roles: Role[]): boolean => role !== undefined && roles.includes(role);

export const builder = new SchemaBuilder<SchemaTypes>({
  // Errors first: what the later ones throw becomes a member of the result
  plugins: [
    ErrorsPlugin,
    ScopeAuthPlugin,
    ValidationPlugin,
    ComplexityPlugin,
    RelayPlugin,
    DataloaderPlugin,
    SimpleObjectsPlugin,
  ],
  defaultFieldNullability: false,
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    // The connection's own multiplier counts the page; as a list of its own it would count once more
    edgesFieldOptions: { complexity: { field: 1, multiplier: 1 } },
    nodeTypeOptions: { description: 'Anything with a global id: `node(id)` reads it again.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its list.', authScopes: { read: true } },
    nodeQueryOptions: { description: 'Any object by its global id; null when it is gone.', authScopes: { read: true } },
    nodesQueryOptions: false,
  },
  errors: { defaultTypes: [], unsafelyHandleInputErrors: true },
  validation: {
    validationError: (failure) =>
      new ValidationError(
        failure.issues.map(({ path, message }) => ({
          path: (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)),
          message,
        })),
      ),
  },
  complexity: {
    defaultComplexity: 1,
    defaultListMultiplier: 10,
    limit: COMPLEXITY_LIMIT,
    complexityError: (kind, size) =>
      new GraphQLError(
        `The query is too large: its ${kind.toLowerCase()} is ${size[kindField(kind)]}, at most ${maxOf(kind)} is allowed. Ask for fewer fields or shorter lists.`,
        { extensions: { code: 'QUERY_TOO_LARGE' } },
      ),
  },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({
      read: may(viewer?.role, 'viewer', 'editor', 'admin'),
      edit: may(viewer?.role, 'editor', 'admin'),
      administer: may(viewer?.role, 'admin'),
      work: may(viewer?.role, 'worker'),
      run: may(viewer?.role, 'worker', 'runner'),
    }),
    unauthorizedError: (_parent, ctx, info) =>
      ctx.viewer
        ? new GraphQLError(`The role "${ctx.viewer.role}" may not use ${info.parentType.name}.${info.fieldName}.`, {
            extensions: { code: 'FORBIDDEN' },
          })
        : new GraphQLError('Sign in first, or send an API token as "Authorization: Bearer …".', {
            extensions: { code: 'UNAUTHENTICATED' },
          }),
  },
});

type SizeField = 'complexity' | 'depth' | 'breadth';
const kindField = (kind: string): SizeField => kind.toLowerCase() as SizeField;
const maxOf = (kind: string): number => COMPLEXITY_LIMIT[kindField(kind)];

builder.queryType({ description: 'Reading. Lists are pages of at most 200.' });
builder.mutationType({ description: 'Changing. Expected failures are members of the result, each with a `message`.' });
builder.subscriptionType({
  description: 'Live. Every message has a cursor; subscribe again with it and nothing is missed or repeated.',
});

/** The one pipeline behind HTTP, SSE and WebSocket. */
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { createYoga, type Plugin } from 'graphql-yoga';
import { COMPLEXITY_LIMIT } from '#schema/builder.ts';
import type { Access, Context, Viewer } from '#schema/context.ts';
import { schema } from '#schema/index.ts';
import type { Logger } from '../log.ts';
import { createMaskError } from './mask-error.ts';
import { useMutationLimit } from './plugins/use-mutation-limit.ts';
import { useSharedSubscriptions } from './plugins/use-shared-subscriptions.ts';
import { useSignInRequired } from './plugins/use-sign-in-required.ts';

export const GRAPHQL_PATH = '/graphql';
const MOST_TOKENS = 2_000;
const MOST_ALIASES = 15;
const MOST_DIRECTIVES = 20;

/** What a transport knows of the caller. */
export interface Caller {
  viewer: Viewer | null;
  access: Access;
}

export interface GraphqlDeps {
  shared: Omit<Context, 'viewer' | 'access'>;
  log: Logger;
}

export function createGraphql({ shared, log }: GraphqlDeps) {
  return createYoga<Caller, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    landingPage: false,
    healthCheckEndpoint: '/livez/graphql',
    graphiql: false,
    maskedErrors: { maskError: createMaskError(log) },
    cors: false,
    multipart: false,
    batching: false,
    logging: {
      debug: () => undefined,
      info: () => undefined,
      warn: (...args: unknown[]) => log.warn({ args }, 'graphql'),
      error: (...args: unknown[]) => log.error({ args }, 'graphql'),
    },
    context: ({ viewer, access }) => ({ ...shared, viewer, access }),
    plugins: [
      maxTokensPlugin({ n: MOST_TOKENS }) as Plugin,
      maxDepthPlugin({ n: COMPLEXITY_LIMIT.depth, ignoreIntrospection: true }) as Plugin,
      maxAliasesPlugin({ n: MOST_ALIASES, allowList: [] }) as Plugin,
      maxDirectivesPlugin({ n: MOST_DIRECTIVES }) as Plugin,
      useMutationLimit(),
      useSharedSubscriptions(),
      useSignInRequired(),
    ],
  });
}

export type Graphql = ReturnType<typeof createGraphql>;

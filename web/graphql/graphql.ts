import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './generated/introspection.d.ts';

/** Documents are typed by schema/schema.graphql; test/web/documents.test.ts validates them against it. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { DateTime: string; Duration: number; JSON: unknown; ID: string };
}>();

export { readFragment, type FragmentOf, type ResultOf, type VariablesOf } from 'gql.tada';

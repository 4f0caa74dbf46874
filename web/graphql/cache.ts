import { cacheExchange } from '@urql/exchange-graphcache';
import { keylessTypes } from './generated/keyless-types.ts';

/**
 * The normalised cache: one copy of each DAG and run, which query and subscription results update alike. Its layers keep
 * order: a query that was sent before a pushed change never overwrites the change.
 */
export const createCache = () =>
  cacheExchange({ keys: Object.fromEntries(keylessTypes.map((name) => [name, () => null])) });

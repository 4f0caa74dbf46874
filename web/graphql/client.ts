import { Client, fetchExchange, mapExchange, subscriptionExchange, type CombinedError } from '@urql/core';
import { session } from '../state/session.svelte.ts';
import { createCache } from './cache.ts';
import { hasLostParents } from './lost-parents.ts';
import { createResumableForwarder } from './resumable.ts';
import { createLiveSocket } from './socket.ts';

export const errorCode = (error: CombinedError): string | undefined =>
  error.graphQLErrors[0]?.extensions?.['code'] as string | undefined;

const endSession = () => session.end();

export const socket = createLiveSocket(`${location.origin.replace(/^http/, 'ws')}/graphql`, {
  onEnded: endSession,
  onChanged: () => session.check(),
});

export const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'cache-and-network',
  fetchOptions: { headers: { 'graphql-require-preflight': '1' } },
  exchanges: [
    mapExchange({
      onError(error) {
        if (errorCode(error) === 'UNAUTHENTICATED' || error.response?.status === 401) endSession();
      },
    }),
    createCache(),
    mapExchange({
      onResult: (result) =>
        hasLostParents(result.data, result.error?.graphQLErrors ?? []) ? { ...result, data: undefined } : result,
    }),
    fetchExchange,
    subscriptionExchange({ forwardSubscription: createResumableForwarder(socket.client) }),
  ],
});

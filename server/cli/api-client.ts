import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { CommandError } from './command-error.ts';

export interface ApiClient {
  request<T>(query: string, variables?: { [name: string]: unknown }): Promise<T>;
  /** Ends with the subscription; reconnects are the caller's, who knows the cursor. */
  subscribe<T>(query: string, variables?: { [name: string]: unknown }): AsyncIterableIterator<T>;
  stop(): Promise<void>;
}

interface Result {
  data?: unknown;
  errors?: { message: string }[];
}

/** Speaks to /graphql with a bearer token: HTTP for queries and mutations, WebSocket for subscriptions. */
export function createApiClient({ url, token }: { url: string; token: string }): ApiClient {
  const endpoint = new URL('/graphql', url);
  let socket: Client | undefined;

  function connection(): Client {
    const address = new URL(endpoint);
    address.protocol = endpoint.protocol.replace('http', 'ws');
    return (socket ??= createClient({
      url: address.href,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    }));
  }

  return {
    async request<T>(query: string, variables = {}) {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
      }).catch((cause: unknown) => {
        throw new CommandError(
          `No Millrace service answers at ${endpoint.origin}. Is "millrace start" running there?`,
          { cause },
        );
      });
      if (response.status === 401)
        throw new CommandError(`${endpoint.origin} does not accept the token. Give another with MILLRACE_TOKEN.`);
      const text = await response.text();
      return dataOf<T>(parseResult(text, endpoint, response.status));
    },
    async *subscribe<T>(query: string, variables = {}) {
      for await (const result of connection().iterate({ query, variables })) yield dataOf<T>(result as Result);
    },
    async stop() {
      await socket?.dispose();
    },
  };
}

function parseResult(text: string, endpoint: URL, status: number): Result {
  try {
    return JSON.parse(text) as Result;
  } catch (cause) {
    throw new CommandError(`${endpoint.href} answers with status ${status} and no GraphQL. Is the address right?`, {
      cause,
    });
  }
}

function dataOf<T>({ data, errors }: Result): T {
  if (errors?.length) throw new CommandError(errors.map((error) => error.message).join('\n'));
  return data as T;
}

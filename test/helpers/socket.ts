import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { waitFor } from './wait-for.ts';

export interface SocketOptions {
  token?: string;
  /** Headers of the upgrade request. */
  headers?: { [name: string]: string };
  /** Reconnects by itself, as the page does. */
  retries?: number;
}

export interface Recorded<T> {
  /** All that has come. */
  messages: T[];
  errors: unknown[];
  isComplete(): boolean;
  /** Waits until so many have come and returns them. */
  take(count: number): Promise<T[]>;
  unsubscribe(): void;
}

export interface TestSocket {
  client: Client;
  /** Close codes, in order. */
  closed: number[];
  /** With `resume`, each reconnect goes on behind the last message's cursor or offset. */
  subscribe<T>(query: string, variables?: object, options?: { resume?: boolean }): Recorded<T>;
  /** Pulls the plug. */
  terminate(): void;
  stop(): Promise<void>;
}

export function openSocket(url: string, { token, headers = {}, retries = 0 }: SocketOptions = {}): TestSocket {
  const closed: number[] = [];
  class Socket extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols, { headers });
    }
  }
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: Socket,
    ...(token ? { connectionParams: { authorization: `Bearer ${token}` } } : {}),
    // One socket for all of a test's operations, also when none is open for a moment
    lazyCloseTimeout: 60_000,
    retryAttempts: retries,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
    on: { closed: (event) => closed.push((event as { code?: number }).code ?? 0) },
  });
  return {
    client,
    closed,
    subscribe<T>(query: string, variables: object = {}, { resume = false }: { resume?: boolean } = {}) {
      const messages: T[] = [];
      const errors: unknown[] = [];
      let complete = false;
      const payload = {
        query,
        // Read anew each time that the operation is sent
        get variables() {
          const last = messages.at(-1) as { cursor?: string; nextOffset?: number } | undefined;
          const after = resume ? (last?.cursor ?? last?.nextOffset) : undefined;
          return { ...variables, ...(after === undefined ? {} : { after }) };
        },
      };
      const unsubscribe = client.subscribe<Record<string, T>>(payload, {
        next(result) {
          errors.push(...(result.errors ?? []));
          const [value] = Object.values(result.data ?? {});
          if (value) messages.push(value);
        },
        error: (error) => errors.push(...(Array.isArray(error) ? error : [error])),
        complete: () => (complete = true),
      });
      return {
        messages,
        errors,
        isComplete: () => complete,
        async take(count) {
          await waitFor(() => messages.length >= count || errors.length > 0, {
            what: `${count} messages`,
          }).catch((cause: Error) => {
            throw new Error(`${cause.message}; came: ${JSON.stringify(messages)}`, { cause });
          });
          if (messages.length < count) throw new Error(`The subscription failed: ${JSON.stringify(errors)}`);
          return messages.slice(0, count);
        },
        unsubscribe,
      };
    },
    terminate: () => client.terminate(),
    async stop() {
      await client.dispose();
    },
  };
}

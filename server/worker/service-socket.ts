/** A worker's one connection to the service. Claims and reports go over it too: beside a request over HTTP they cost a fraction. */
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { resultOf, type Answer } from './service-answer.ts';

const LONGEST_RETRY_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;
/** A socket that leaves a ping unanswered for so long is dead, whatever it looks like. */
const PONG_MS = 10_000;
const IDLE_MS = 60_000;

export interface ServiceSocket {
  /** The one field of the operation. One that a lost connection takes along is sent again as soon as there is another. */
  request<T>(query: string, input: unknown): Promise<T>;
  subscribe: Client['subscribe'];
  close(): Promise<void>;
}

export interface ServiceSocketDeps {
  /** The service, e.g. http://millrace:4400 */
  url: string;
  headers: { [name: string]: string };
  timeoutMs: number;
  keepAliveMs?: number;
}

export function createServiceSocket({
  url,
  headers,
  timeoutMs,
  keepAliveMs = KEEP_ALIVE_MS,
}: ServiceSocketDeps): ServiceSocket {
  /** By the upgrade already, for only then does the service take messages as large as a batch of results. */
  class AuthorizedSocket extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, protocols, { headers, perMessageDeflate: false });
    }
  }
  let overdue: NodeJS.Timeout | undefined;
  const client = createClient({
    url: new URL('/graphql', url.replace(/^http/, 'ws')).href,
    webSocketImpl: AuthorizedSocket,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: (retries) =>
      new Promise((resolve) =>
        setTimeout(resolve, Math.min(LONGEST_RETRY_MS, 100 * 2 ** retries) * (0.5 + Math.random())),
      ),
    keepAlive: keepAliveMs,
    on: {
      ping: (received) => {
        if (!received) overdue = setTimeout(() => client.terminate(), Math.min(PONG_MS, keepAliveMs));
      },
      pong: (received) => received && clearTimeout(overdue),
      closed: () => clearTimeout(overdue),
    },
    // A draining worker has no subscription any more, and still has things to say
    lazyCloseTimeout: IDLE_MS,
  });

  const ask = (query: string, input: unknown): Promise<Answer> =>
    new Promise((resolve, reject) => {
      let answer: Answer | undefined;
      const done = () => {
        clearTimeout(timer);
        if (answer) resolve(answer);
        else reject(new Error(`The service did not answer within ${timeoutMs / 1000} s.`));
      };
      const leave = client.subscribe(
        { query, variables: { input } },
        {
          next: (result) => (answer = result as Answer),
          error: (error) => {
            clearTimeout(timer);
            reject(error instanceof Error ? error : new Error(`The connection ended: ${describe(error)}`));
          },
          complete: done,
        },
      );
      const timer = setTimeout(leave, timeoutMs);
    });

  return {
    request: async <T>(query: string, input: unknown) => resultOf<T>(await ask(query, input)),
    subscribe: client.subscribe,
    close: async () => client.dispose(),
  };
}

/** What graphql-ws gives: the event of a close, or the errors of an operation. */
function describe(error: unknown): string {
  if (Array.isArray(error)) return error.map((item: { message?: string }) => item.message).join('; ');
  const { code, reason } = (error ?? {}) as { code?: number; reason?: string };
  return [code, reason].filter(Boolean).join(' ') || 'for no known reason';
}

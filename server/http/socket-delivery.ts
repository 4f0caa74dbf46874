/** Sends the results of a subscription as text that is made once for all sockets that get the same result. */
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';

/** From here on a reader is slow: wait for it, so that its queue fills up and not the socket's memory. */
const MOST_BUFFERED = 1024 * 1024;

const texts = new WeakMap<object, string>();

function textOf(result: ExecutionResult): string {
  const text = texts.get(result) ?? JSON.stringify(result);
  texts.set(result, text);
  return text;
}

function send(socket: WebSocket, text: string): Promise<void> | undefined {
  if (socket.readyState !== socket.OPEN) return undefined;
  if (socket.bufferedAmount < MOST_BUFFERED) {
    socket.send(text);
    return undefined;
  }
  // A broken socket closes by itself, and with it the subscription
  return new Promise((resolve) => socket.send(text, () => resolve()));
}

/**
 * For graphql-ws an iterable without values that ends when `results` ends: it would make text of each value anew. `isOpen` is false
 * as soon as the client has left the subscription.
 */
export function deliver(
  results: AsyncIterableIterator<ExecutionResult>,
  { socket, id, isOpen }: { socket: WebSocket; id: string; isOpen(): boolean },
): AsyncIterableIterator<ExecutionResult> {
  const prefix = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  return {
    async next() {
      for (;;) {
        const result = await results.next();
        if (result.done) return { done: true, value: undefined };
        if (isOpen()) await send(socket, `${prefix}${textOf(result.value)}}`);
      }
    },
    async return() {
      await results.return?.();
      return { done: true, value: undefined };
    },
    async throw(error) {
      await results.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

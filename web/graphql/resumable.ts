import type { ExecutionResult, SubscriptionForwarder } from '@urql/core';
import type { Client } from 'graphql-ws';

/** Where to go on after the last result: its `cursor`, or the next byte of a log. */
function positionOf(result: ExecutionResult): unknown {
  const [root] = Object.values((result.data ?? {}) as Record<string, { cursor?: string; nextOffset?: number } | null>);
  return root?.cursor ?? root?.nextOffset;
}

/**
 * Forwards subscriptions so that each continues where it stopped. graphql-ws sends the same payload again after a
 * reconnect, so the payload reads the newest position at the moment it is sent.
 */
export function createResumableForwarder(socket: Client): SubscriptionForwarder {
  return (operation) => ({
    subscribe(sink) {
      const given = (operation.variables ?? {}) as Record<string, unknown>;
      let position: unknown;
      const payload = {
        query: operation.query ?? '',
        operationName: operation.operationName,
        get variables() {
          return position === undefined ? given : { ...given, after: position };
        },
      };
      const unsubscribe = socket.subscribe<Record<string, unknown>>(payload, {
        next(result) {
          position = positionOf(result as ExecutionResult) ?? position;
          sink.next(result as ExecutionResult);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
      return { unsubscribe };
    },
  });
}

/** graphql-ws as its manual has it: each subscriber's messages are executed and made into text for it alone. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, execute, subscribe } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { serveSide } from '../sides/serve.ts';

/** The fields of ours that the subscribers ask for. */
const schema = buildSchema(`
  type Query { ok: Boolean }
  type TaskTransition { taskIndex: Int!, mapIndex: Int!, state: String! }
  type RunEvent { kind: String!, cursor: String!, at: String!, runState: String, transitions: [TaskTransition!]! }
  type Subscription { dagRunEvents(runId: ID!, after: String): RunEvent! }
`);

type Listener = (event: object) => void;

/** Events of which each subscriber gets every one. */
function createBus() {
  const listeners = new Set<Listener>();
  async function* stream() {
    const waiting: object[] = [];
    let wake = () => {};
    const listener: Listener = (event) => {
      waiting.push(event);
      wake();
    };
    listeners.add(listener);
    try {
      for (;;) {
        while (waiting.length > 0) yield { dagRunEvents: waiting.shift() };
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      listeners.delete(listener);
    }
  }
  return { stream, push: (event: object) => listeners.forEach((listener) => listener(event)) };
}

const bus = createBus();
const server = createServer();
useServer(
  { schema, execute, subscribe, roots: { subscription: { dagRunEvents: () => bus.stream() } } },
  new WebSocketServer({ server, path: '/graphql' }),
);

serveSide({
  async open() {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  },
  async emit({ events, everyMs }: { events: number; everyMs: number }) {
    for (let cursor = 1; cursor <= events; cursor++) {
      const transitions = [{ taskIndex: cursor, mapIndex: -1, state: 'RUNNING' }];
      bus.push({ kind: 'CHANGE', cursor: String(cursor), at: new Date().toISOString(), runState: null, transitions });
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return events;
  },
});

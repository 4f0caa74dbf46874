/** Many clients of one subscription, as light as they can be: what is measured is the server. Each checks that it misses nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { serveSide } from './serve.ts';

interface OpenRequest {
  address: string;
  token: string;
  query: string;
  variables: { [name: string]: unknown };
  sockets: number;
}

interface Subscriber {
  socket: WebSocket;
  /** Cursor of the last message; they are dense. */
  last: number;
}

/** So many connections are being made at once. */
const AT_ONCE = 50;
const LATENCY_SAMPLE = 50;

let request: OpenRequest;
let subscribers: Subscriber[] = [];
let messages = 0;
let bytes = 0;
let faults: string[] = [];
let latencies: number[] = [];
/** When each subscriber had seen this cursor. */
let awaited: { cursor: number; left: number; done(): void } | null = null;

const numberAfter = (text: string, mark: string): number => {
  const from = text.indexOf(mark);
  return from < 0 ? NaN : parseInt(text.slice(from + mark.length), 10);
};

const timeAfter = (text: string, mark: string): number => {
  const from = text.indexOf(mark) + mark.length;
  return Date.parse(text.slice(from, text.indexOf('"', from)));
};

function receive(subscriber: Subscriber, data: Buffer): void {
  const text = data.toString();
  if (!text.includes('"type":"next"')) return void (text.includes('"type":"error"') && faults.push(text));
  const cursor = numberAfter(text, '"cursor":"');
  if (text.includes('RESYNC')) faults.push(`RESYNC at ${cursor}`);
  else if (subscriber.last >= 0 && cursor !== subscriber.last + 1)
    faults.push(`cursor ${cursor} after ${subscriber.last}`);
  subscriber.last = cursor;
  messages++;
  bytes += data.length;
  if (messages % LATENCY_SAMPLE === 0) latencies.push(Date.now() - timeAfter(text, '"at":"'));
  if (awaited && cursor === awaited.cursor && --awaited.left === 0) awaited.done();
}

function connect(subscriber: Subscriber): Promise<void> {
  const { address, token, query, variables } = request;
  const socket = new WebSocket(address.replace(/^http/, 'ws') + '/graphql', 'graphql-transport-ws', {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  subscriber.socket = socket;
  const after = subscriber.last >= 0 ? String(subscriber.last) : null;
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    socket.once('message', () => {
      socket.on('message', (data: Buffer) => receive(subscriber, data));
      socket.send(
        JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { ...variables, after } } }),
      );
      // The socket answers in order, so its subscription is there when the pong comes
      socket.once('pong', () => resolve());
      socket.ping();
    });
  });
}

async function connectAll(): Promise<void> {
  const waiting = [...subscribers];
  const one = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await connect(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

serveSide({
  async open(wanted: OpenRequest) {
    request = wanted;
    subscribers = Array.from({ length: wanted.sockets }, () => ({ socket: undefined as never, last: -1 }));
    messages = bytes = 0;
    faults = [];
    latencies = [];
    await connectAll();
  },
  /** What came since the last call. */
  take() {
    const lasts = subscribers.map(({ last }) => last);
    const seen = { messages, bytes, faults: faults.slice(0, 5), latencies, low: Math.min(...lasts) };
    messages = bytes = 0;
    faults = [];
    latencies = [];
    return seen;
  },
  /** All have got this one. */
  async until({ cursor, timeoutMs }: { cursor: number; timeoutMs: number }) {
    const left = subscribers.filter(({ last }) => last < cursor).length;
    if (left === 0) return true;
    const done = new Promise<boolean>((resolve) => {
      awaited = { cursor, left, done: () => resolve(true) };
    });
    const answer = await Promise.race([done, sleep(timeoutMs).then(() => false)]);
    awaited = null;
    return answer;
  },
  /** All connections end as if the network had; at the end of `awayMs` they come back, each with its cursor. Milliseconds until they have. */
  async reconnect({ awayMs }: { awayMs: number }) {
    for (const { socket } of subscribers) {
      socket.removeAllListeners('message');
      socket.terminate();
    }
    await sleep(awayMs);
    const begin = performance.now();
    await connectAll();
    return performance.now() - begin;
  },
  async close() {
    for (const { socket } of subscribers) socket.terminate();
    subscribers = [];
  },
});

/** B6: a thousand people look at one run. B6r: all their connections break, and all come back with their cursors. */
import { setTimeout as sleep } from 'node:timers/promises';
import { treesOf } from '../engine-rounds.ts';
import { measure, type Measured } from '../measure.ts';
import { quiet, roundsOf } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';

const EVERY_MS = 50;
/** Between the end of their connections and the first that comes back. */
const AWAY_MS = 1_000;
const PATIENCE_MS = 20_000;
const PEER = 'graphql-ws as its manual has it, events from memory';

const QUERY = `subscription Live($runId: ID!, $after: String) {
  dagRunEvents(runId: $runId, after: $after) { kind cursor at runState transitions { taskIndex mapIndex state } } }`;

interface Seen {
  messages: number;
  bytes: number;
  faults: string[];
  latencies: number[];
  low: number;
}

interface Sides {
  source: Side;
  server: Side;
  subscribers: Side;
  plain: Side;
}

interface Size {
  sockets: number;
  events: number;
}

interface Rows {
  fan: Row;
  delay: Row;
  memory: Row;
  caughtUp: Row;
  peer: Row;
}

function check({ messages, faults }: Seen, wanted: number): void {
  if (faults.length > 0) throw new Error(`Messages went wrong: ${faults.join('; ')}.`);
  if (messages !== wanted) throw new Error(`${messages} messages came, not ${wanted}.`);
}

/** All that is sent while `emit` goes on arrives; what it cost the server. */
async function fanOut(
  bench: Bench,
  { server, subscribers }: { server: Side; subscribers: Side },
  emit: () => Promise<number>,
): Promise<Measured<Seen>> {
  await quiet(bench);
  await subscribers.call('take');
  return measure(treesOf(bench, [server]), async () => {
    const cursor = await emit();
    await subscribers.call('until', { cursor, timeoutMs: PATIENCE_MS });
    return subscribers.call<Seen>('take');
  });
}

async function ours(bench: Bench, rows: Rows, sides: Sides, { sockets, events }: Size): Promise<void> {
  const { source, server, subscribers } = sides;
  const url = await bench.postgres.create('b6');
  try {
    const opened = { url, slots: 1, role: 'api', home: null };
    const { address, clientToken } = await server.call<{ address: string; clientToken: string }>('open', opened);
    await source.call('open', { url });
    const runId = await source.call<number>('run', { tasks: events * 2 });
    const emit = (count: number) => source.call<number>('emit', { runId, events: count, everyMs: EVERY_MS });
    await quiet(bench);
    const alone = await measure(treesOf(bench, [server]), () => sleep(1));
    await subscribers.call('open', { address, token: clientToken, query: QUERY, variables: { runId }, sockets });
    // Code that has never run is slow
    await emit(20);
    const { result, cost } = await fanOut(bench, sides, () => emit(events));
    check(result, sockets * events);
    rows.fan.values.push(result.messages / (cost.wallMs / 1000));
    rows.fan.costs.push(cost);
    rows.delay.values.push(...result.latencies);
    rows.memory.values.push((cost.nodeMemory - alone.cost.nodeMemory) / 2 ** 20);
    await reconnect(bench, rows, sides, { sockets, emit });
  } finally {
    await subscribers.call('close');
    await source.call('close');
    await server.call('close');
    await bench.postgres.drop('b6');
  }
}

interface Return {
  sockets: number;
  emit(count: number): Promise<number>;
}

async function reconnect(bench: Bench, rows: Rows, sides: Sides, { sockets, emit }: Return): Promise<void> {
  const { server, subscribers } = sides;
  const perSecond = 1000 / EVERY_MS;
  const measured = await measure(treesOf(bench, [server]), async () => {
    // Events go on until long after all are back
    const emitting = emit(8 * perSecond);
    await sleep(500);
    const back = await subscribers.call<number>('reconnect', { awayMs: AWAY_MS });
    const before = performance.now();
    const cursor = await emitting;
    await subscribers.call('until', { cursor, timeoutMs: PATIENCE_MS });
    const seen = await subscribers.call<Seen>('take');
    return { back, seen, waited: performance.now() - before };
  });
  const { back, seen } = measured.result;
  check(seen, sockets * 8 * perSecond);
  rows.caughtUp.values.push(back);
  rows.caughtUp.costs.push(measured.cost);
}

async function peer(bench: Bench, row: Row, sides: Sides, { sockets, events }: Size): Promise<void> {
  const { plain, subscribers } = sides;
  const { address } = await plain.call<{ address: string }>('open');
  await subscribers.call('open', { address, token: 'none', query: QUERY, variables: { runId: '1' }, sockets });
  const emit = () => plain.call<number>('emit', { events, everyMs: EVERY_MS });
  const { result, cost } = await fanOut(bench, { server: plain, subscribers }, emit);
  await subscribers.call('close');
  check(result, sockets * events);
  row.values.push(result.messages / (cost.wallMs / 1000));
  row.costs.push(cost);
}

function newRows({ sockets, events }: Size): Rows {
  const named = `${sockets.toLocaleString('en')} subscribers`;
  const workload = `${named} × 20 events/s × ${(events * EVERY_MS) / 1000} s`;
  const tasks = sockets * events;
  const variant = 'b0';
  return {
    fan: newRow({ key: 'B6.messages', workload, variant, unit: 'messages/s', tasks }),
    delay: newRow({ key: 'B6.delay', workload: 'event → message received', variant, unit: 'ms', samples: true }),
    memory: newRow({ key: 'B6.memory', workload: `memory for ${named}`, variant, unit: 'MiB' }),
    caughtUp: newRow({
      key: 'B6R',
      workload: `${named} lose their connections, come back after a second and have missed nothing`,
      variant,
      unit: 'ms',
      tasks: sockets,
    }),
    peer: newRow({ key: 'B6.plain', workload, side: PEER, unit: 'messages/s', tasks }),
  };
}

export const b6: Scenario = {
  id: 'B6',
  title: 'Subscribers of one run, and their return',
  async run(bench): Promise<Row[]> {
    const size = bench.options.quick ? { sockets: 100, events: 60 } : { sockets: 1_000, events: 600 };
    const rows = newRows(size);
    const sides = {
      source: await startSide('events', 'sides/event-source'),
      server: await startSide('server', 'sides/server'),
      subscribers: await startSide('subscribers', 'sides/subscribers'),
      plain: await startSide(PEER, 'peers/plain-socket'),
    };
    try {
      for (let n = 0; n < roundsOf(bench, 2, 1); n++) {
        await ours(bench, rows, sides, size).catch(failed(bench, rows.fan));
        await peer(bench, rows.peer, sides, size).catch(failed(bench, rows.peer));
      }
    } finally {
      for (const side of Object.values(sides)) await side.stop();
    }
    return Object.values(rows);
  },
};

const failed = (bench: Bench, row: Row) => (error: unknown) => {
  row.failures.push(error instanceof Error ? error.message : String(error));
  bench.log(`B6 ${row.side}: ${String(error)}`);
};

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import type { StreamItem } from '#schema/event-streams.ts';
import { createEventStreams } from '#server/events/event-streams.ts';
import { createLogger } from '#server/log.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, type TestEngine } from '../helpers/engine.ts';
import { writeRunEvent } from '../helpers/event-writer.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const NO_LOGS = { read: async () => ({ chunks: [], exhausted: true }) };
let engine: TestEngine;
let listener: Listener;
let streams: ReturnType<typeof createEventStreams>;
let dagId: number;

beforeAll(async () => {
  engine = createTestEngine(database);
  listener = createListener(url);
  await listener.start();
  const log = createLogger({ level: 'error', format: 'json' });
  streams = createEventStreams({ db, logs: NO_LOGS, listener, log, limits: { queue: 5, replay: 20 } });
  ({ dagId } = await engine.deploy(dagOf('streamed', { a: [] }, { maxActiveRuns: 1_000 })));
});
afterAll(async () => {
  await streams.stop();
  await engine.stop();
  await listener.stop();
});

async function newRun(): Promise<number> {
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return run?.runId ?? 0;
}

async function take(stream: AsyncIterable<StreamItem>, count: number): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  const iterator = stream[Symbol.asyncIterator]();
  while (items.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    items.push(value);
  }
  return items;
}
const cursors = (items: StreamItem[]) => items.map((item) => item.cursor);

describe('events of a run', () => {
  it('come from the table, then live, and from now on when no cursor is given', async () => {
    const runId = await newRun();
    const all = await streams.runEvents(runId, 0);
    const fresh = await streams.runEvents(runId, null);
    if (!all || !fresh) throw new Error('the run is not there');
    const before = await take(all, 2);
    expect(before.map((item) => item.body?.run)).toEqual(['queued', 'running']);
    const next = async () => {
      const items = Promise.all([take(all, 1), take(fresh, 1)]);
      await writeRunEvent(pool, runId, {});
      return (await items).map(([item]) => item);
    };
    expect((await next()).map((item) => item?.cursor)).toEqual(['3', '3']);
    // Both live by now, they get the very same object: what is made of it is made once
    const [one, other] = await next();
    expect(one?.cursor).toBe('4');
    expect(one).toBe(other);
  });

  it('are the same objects for all who come back with a cursor', async () => {
    const runId = await newRun();
    const first = await streams.runEvents(runId, 0);
    if (!first) throw new Error('the run is not there');
    const seen = await take(first, 2);
    await first[Symbol.asyncIterator]().return?.();
    const [one, other] = await Promise.all([streams.runEvents(runId, 0), streams.runEvents(runId, 1)]);
    if (!one || !other) throw new Error('the run is not there');
    const [again, last] = [await take(one, 2), await take(other, 1)];
    expect(again.map((item, i) => item === seen[i])).toEqual([true, true]);
    expect(last[0]).toBe(seen[1]);
  });

  it('are in order also when a later one has the older transaction', async () => {
    const runId = await newRun();
    const stream = await streams.runEvents(runId, 2);
    if (!stream) throw new Error('the run is not there');
    const items = take(stream, 2);
    const [early, between] = [await pool.connect(), await pool.connect()];
    await early.query('begin');
    await early.query('select pg_current_xact_id()');
    await writeRunEvent(pool, runId, { which: 'first, by the younger transaction' });
    await between.query('begin');
    await between.query('select pg_current_xact_id()');
    await writeRunEvent(early, runId, { which: 'second, by the older one' });
    await early.query('commit');
    await between.query('commit');
    early.release();
    between.release();
    expect(cursors(await items)).toEqual(['3', '4']);
  });

  it('of an unknown run are none', async () => {
    expect(await streams.runEvents(12_345, null)).toBeNull();
  });

  it('that are too many, or behind an unknown cursor, are one RESYNC, and then go on', async () => {
    const runId = await newRun();
    for (let n = 0; n < 30; n++) await writeRunEvent(pool, runId, { n });
    const [old, unknown] = [await streams.runEvents(runId, 0), await streams.runEvents(runId, 999)];
    if (!old || !unknown) throw new Error('the run is not there');
    for (const stream of [old, unknown]) {
      const [first] = await take(stream, 1);
      expect(first).toMatchObject({ kind: 'RESYNC', cursor: '32' });
    }
    const next = Promise.all([take(old, 1), take(unknown, 1)]);
    await writeRunEvent(pool, runId, {});
    expect((await next).map(([item]) => [item?.kind, item?.cursor])).toEqual([
      ['CHANGE', '33'],
      ['CHANGE', '33'],
    ]);
  });

  it('that the log no longer holds are one RESYNC', async () => {
    const runId = await newRun();
    for (let n = 0; n < 5; n++) await writeRunEvent(pool, runId, { n });
    await pool.query('delete from event where run_id = $1 and run_seq < 4', [runId]);
    const stream = await streams.runEvents(runId, 1);
    expect(await take(stream ?? failed(), 1)).toMatchObject([{ kind: 'RESYNC', cursor: '7' }]);
  });

  it('wait in a bounded queue: a slow reader reads the table again, a very slow one the snapshot', async () => {
    const runId = await newRun();
    const [stream, witness] = [await streams.runEvents(runId, 2), await streams.runEvents(runId, 2)];
    if (!stream || !witness) throw new Error('the run is not there');
    const first = take(stream, 1);
    const write = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const came = take(witness, 1);
        await writeRunEvent(pool, runId, { n });
        await came;
      }
    };
    await write(1);
    expect(cursors(await first)).toEqual(['3']);
    await write(12);
    expect(cursors(await take(stream, 12))).toEqual(Array.from({ length: 12 }, (_, n) => String(4 + n)));
    await write(40);
    const [resync] = await take(stream, 1);
    expect(resync).toMatchObject({ kind: 'RESYNC', cursor: '55' });
    await write(1);
    expect(cursors(await take(stream, 1))).toEqual(['56']);
  });

  it('let a reader go while it waits', async () => {
    const stream = await streams.runEvents(await newRun(), null);
    const iterator = (stream ?? failed())[Symbol.asyncIterator]();
    const waiting = iterator.next();
    await iterator.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

describe('events across runs', () => {
  it('do not pass one that has not been committed yet', async () => {
    const [slow, quick] = [await newRun(), await newRun()];
    const stream = await streams.events({ states: null, dagIds: null, runId: null }, null);
    const items = take(stream, 2);
    const client = await pool.connect();
    await client.query('begin');
    await writeRunEvent(client, slow, { which: 'older, committed last' });
    await writeRunEvent(pool, quick, { which: 'younger, committed first' });
    const early = await Promise.race([items, new Promise((resolve) => setTimeout(resolve, 100, 'nothing yet'))]);
    expect(early).toBe('nothing yet');
    await client.query('commit');
    client.release();
    expect((await items).map((item) => item.runId)).toEqual([slow, quick]);
  });

  it('are filtered by DAG, run and state', async () => {
    const other = await engine.deploy(dagOf('other', { a: [] }));
    const runId = await newRun();
    const [ofDag, ofRun, ofState] = [
      await streams.events({ dagIds: ['other'] }, null),
      await streams.events({ runId }, null),
      await streams.events({ runId, states: ['failed'] }, null),
    ];
    const seen = Promise.all([take(ofDag, 1), take(ofRun, 2), take(ofState, 1)]);
    const [made] = await engine.createRuns([{ dagId: other.dagId, kind: 'manual' }]);
    await writeRunEvent(pool, runId, { t: [[0, -1, 'running', 1]] });
    await writeRunEvent(pool, runId, {
      t: [
        [0, -1, 'failed', 1],
        [1, -1, 'skipped', 0],
      ],
    });
    const [dagItems, runItems, stateItems] = await seen;
    expect(dagItems[0]?.runId).toBe(made?.runId);
    expect(runItems.map((item) => item.runId)).toEqual([runId, runId]);
    expect(stateItems[0]?.body?.t).toEqual([[0, -1, 'failed', 1]]);
  });

  it('of DAGs and runs leave out what tasks do', async () => {
    const stream = await streams.dagEvents(null);
    const items = take(stream, 2);
    const runId = await newRun();
    await writeRunEvent(pool, runId, { t: [[0, -1, 'running', 1]] });
    await writeRunEvent(pool, runId, { run: 'failed' });
    expect((await items).map((item) => item.body?.run)).toEqual(['queued', 'running']);
    expect((await take(stream, 1))[0]?.body?.run).toBe('failed');
  });

  it('that another server has sent already are not repeated by one that lags behind', async () => {
    const deaf = { on: () => () => undefined, onResync: () => () => undefined };
    const log = createLogger({ level: 'error', format: 'json' });
    const lagging = createEventStreams({ db, logs: NO_LOGS, listener: deaf, log });
    const runId = await newRun();
    const first = take(await lagging.events({ runId }, '0.0.0'), 2);
    await first;
    const [other] = [take(await streams.events({ runId }, null), 1)];
    await writeRunEvent(pool, runId, { n: 1 });
    const [sent] = await other;
    const onward = take(await lagging.events({ runId }, sent?.cursor ?? ''), 1);
    await writeRunEvent(pool, runId, { n: 2 });
    expect((await onward).map((item) => item.body)).toEqual([{ n: 2 }]);
    await lagging.stop();
  });

  it('behind an unknown cursor begin with RESYNC, behind a known one go on', async () => {
    const start = await streams.events({}, null);
    const first = take(start, 1);
    const runId = await newRun();
    const [known] = await first;
    await writeRunEvent(pool, runId, { n: 1 });
    const [again] = await take(await streams.events({ runId }, known?.cursor ?? ''), 1);
    expect(again).toMatchObject({ kind: 'CHANGE', runId });
    const [resync] = await take(await streams.events({}, '999999.1.1'), 1);
    expect(resync?.kind).toBe('RESYNC');
    await expect(streams.events({}, 'nonsense')).rejects.toThrow(/not a cursor/);
  });
});

function failed(): never {
  throw new Error('the run is not there');
}

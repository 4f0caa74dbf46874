import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createListener } from '#db/listen.ts';
import type { ConsumedEvent } from '#db/queries/event-consumer.ts';
import { createLogger } from '#server/log.ts';
import { startEventConsumer, type EventConsumerDeps } from '#server/scheduler/consume-events.ts';
import { afterFailure, afterSuccess } from '#server/scheduler/narrow-batch.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf } from '../../helpers/engine.ts';
import { writeRunEvent } from '../../helpers/event-writer.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const engine = createTestEngine(database);
const listener = createListener(url);
await listener.start();
afterAll(() => Promise.all([engine.stop(), listener.stop()]));
await pool.query('create table handled (n bigint generated always as identity, run_id bigint, run_seq int)');
beforeEach(() => pool.query('truncate handled restart identity'));

const { dagId, versionId } = await engine.deploy(dagOf('consumed', { a: [] }, { maxActiveRuns: 1000 }));

async function newRuns(count: number): Promise<number[]> {
  const request = { dagId, versionId, kind: 'manual' as const, triggeredBy: 'test' };
  const runs = await engine.createRuns(Array.from({ length: count }, () => request));
  await waitFor(areAllBehind, { what: 'older transactions to end, of whatever database of this PostgreSQL' });
  return runs.map((run) => run.runId);
}

/** A consumer that is new would get what was committed while any older transaction was open, as those of other tests are. */
async function areAllBehind(): Promise<boolean> {
  const { rows } = await pool.query(
    'select not exists (select from event where xid >= pg_snapshot_xmin(pg_current_snapshot())) as behind',
  );
  return rows[0].behind;
}

const keep: EventConsumerDeps['handle'] = async (trx, events) => {
  for (const event of events)
    await sql`insert into handled (run_id, run_seq) values (${event.runId}, ${event.runSeq})`.execute(trx);
};

interface Consumed {
  logged: { msg: string; [field: string]: unknown }[];
  stop(): Promise<void>;
}

async function consume(name: string, more: Partial<EventConsumerDeps> = {}): Promise<Consumed> {
  const logged: Consumed['logged'] = [];
  const destination = { write: (line: string) => logged.push(JSON.parse(line)) } as unknown as NodeJS.WritableStream;
  const log = createLogger({ level: 'warn', format: 'json', destination });
  const { stop } = startEventConsumer({ name, db, listener, log, handle: keep, ...more });
  onTestFinished(stop);
  await waitFor(() => placeOf(name), { what: 'the consumer to take its place' });
  return { logged, stop };
}

async function placeOf(name: string) {
  const { rows } = await pool.query('select * from event_consumer where name = $1', [name]);
  return rows[0];
}

async function handled(): Promise<string[]> {
  const { rows } = await pool.query('select run_id, run_seq from handled order by n');
  return rows.map((row) => `${row.run_id}.${row.run_seq}`);
}

/** Everything that was written for these runs after `seq`, each once and per run in order. */
async function expectAll(runIds: number[], fromSeq: number, perRun: number, missing: string[] = []): Promise<void> {
  const expected = runIds.flatMap((id) => Array.from({ length: perRun }, (_, i) => `${id}.${fromSeq + i}`));
  const wanted = expected.filter((one) => !missing.includes(one)).sort();
  await waitFor(async () => (await handled()).length >= wanted.length, { what: `${wanted.length} events` });
  const seen = await handled();
  expect([...seen].sort()).toEqual(wanted);
  for (const id of runIds) {
    const seqs = seen.filter((one) => one.startsWith(`${id}.`)).map((one) => Number(one.split('.')[1]));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  }
}

async function lastSeq(runId: number): Promise<number> {
  const { rows } = await pool.query('select event_seq from dag_run where id = $1', [runId]);
  return rows[0].event_seq;
}

describe('a consumer of events', () => {
  it('starts at now and then gets each event once, with the DAG it belongs to', async () => {
    const [runId = 0] = await newRuns(1);
    const seen: ConsumedEvent[] = [];
    await consume('fresh', { handle: async (_, events) => void seen.push(...events) });
    const seq = await writeRunEvent(pool, runId, { run: 'success' });
    await waitFor(() => seen.length > 0, { what: 'the event' });
    expect(seen).toEqual([{ runId, dagId, runSeq: seq, at: expect.any(Date), body: { run: 'success' } }]);
  });

  it('goes on where it stopped', async () => {
    const runIds = await newRuns(2);
    const from = (await lastSeq(runIds[0]!)) + 1;
    const first = await consume('stopped');
    await first.stop();
    for (const id of runIds) for (let i = 0; i < 5; i++) await writeRunEvent(pool, id, {});
    await consume('stopped');
    await expectAll(runIds, from, 5);
  });

  it('is shared by any number of schedulers, and no late commit is overtaken', async () => {
    const runIds = await newRuns(6);
    const from = (await lastSeq(runIds[0]!)) + 1;
    await Promise.all([consume('shared', { batch: 3 }), consume('shared', { batch: 5 }), consume('shared')]);
    // Each writer keeps its transaction open while the others commit theirs
    await Promise.all(
      runIds.map(async (id, i) => {
        for (let n = 0; n < 8; n++) {
          const client = await pool.connect();
          await client.query('begin');
          await writeRunEvent(client, id, {});
          await client.query('select pg_sleep($1)', [((i * 7 + n) % 5) / 200]);
          await client.query('commit');
          client.release();
        }
      }),
    );
    await expectAll(runIds, from, 8);
  });

  it('tries a batch again after a failure that passes, and nothing counts twice', async () => {
    const runIds = await newRuns(1);
    const from = (await lastSeq(runIds[0]!)) + 1;
    let failures = 2;
    const { logged } = await consume('passing', {
      async handle(trx, events) {
        await keep(trx, events);
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    await writeRunEvent(pool, runIds[0]!, {});
    await expectAll(runIds, from, 1);
    expect(logged.map((line) => line.msg)).toEqual(Array(2).fill('events could not be handled; they are tried again'));
    await waitFor(async () => (await placeOf('passing')).failures === 0, { what: 'the failures to be forgotten' });
  });

  it('waits before it tries again, however much happens meanwhile', async () => {
    const [runId = 0] = await newRuns(1);
    const from = (await lastSeq(runId)) + 1;
    let isOver: boolean | undefined;
    const { logged } = await consume('pausing', {
      async handle(trx, events) {
        if (isOver === undefined) {
          isOver = false;
          setTimeout(() => (isOver = true), 100);
        }
        if (!isOver) throw new Error('not yet');
        await keep(trx, events);
      },
    });
    let written = 0;
    do {
      await writeRunEvent(pool, runId, {});
      written++;
    } while (!isOver);
    await expectAll([runId], from, written);
    expect(logged.map((line) => line.msg)).toEqual(['events could not be handled; they are tried again']);
  });

  it('finds the one event that always fails, logs its place and skips it; all others are handled once', async () => {
    const runIds = await newRuns(3);
    const from = (await lastSeq(runIds[0]!)) + 1;
    const first = await consume('poisoned', { batch: 64 });
    await first.stop();
    for (let i = 0; i < 20; i++)
      for (const id of runIds) await writeRunEvent(pool, id, { bad: i === 9 && id === runIds[1] });
    const { logged } = await consume('poisoned', {
      batch: 64,
      async handle(trx, events) {
        await keep(trx, events);
        if (events.some((event) => (event.body as { bad?: boolean }).bad)) throw new Error('poison');
      },
    });
    await expectAll(runIds, from, 20, [`${runIds[1]}.${from + 9}`]);
    const skipped = logged.filter((line) => line.msg === 'an event could not be handled and is skipped');
    expect(skipped).toHaveLength(1);
    expect(skipped[0]).toMatchObject({
      consumer: 'poisoned',
      event: expect.stringContaining(`.${runIds[1]}.${from + 9}`),
    });
    expect(await placeOf('poisoned')).toMatchObject({ skipped: 1, failures: 0 });
  });

  it(
    'handles exactly once what was handled but not committed when its process was killed',
    { timeout: 60_000 },
    async () => {
      const runIds = await newRuns(3);
      const from = (await lastSeq(runIds[0]!)) + 1;
      const first = await consume('crash');
      await first.stop();
      for (let i = 0; i < 10; i++) for (const id of runIds) await writeRunEvent(pool, id, {});
      for (const batches of [1, 2]) {
        const main = join(import.meta.dirname, '../../helpers/consumer-process-main.ts');
        const child = spawn(process.execPath, ['--import', 'tsx', main, url, String(batches)], { stdio: 'inherit' });
        const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
        expect(signal).toBe('SIGKILL');
      }
      expect(await handled()).toHaveLength(7);
      await consume('crash');
      await expectAll(runIds, from, 10);
    },
  );
});

describe('a failing batch', () => {
  it('is narrowed down to its bad events with few attempts, and every other event gets through', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.array(fc.nat(999), { maxLength: 5 }), (batch, bad) => {
        const isBad = new Set(bad);
        const skipped: number[] = [];
        let [at, most, failures, attempts] = [0, null as number | null, 0, 0];
        while (at < 1000) {
          attempts++;
          const size = Math.min(most ?? batch, batch, 1000 - at);
          const fails = [...isBad].some((n) => n >= at && n < at + size);
          if (!fails) {
            at += size;
            [most, failures] = [afterSuccess(most, batch), 0];
            continue;
          }
          const next = afterFailure({ size, most, failures });
          if (next.kind === 'again') [most, failures] = [next.most, next.failures];
          else {
            skipped.push(at++);
            [most, failures] = [1, 0];
          }
        }
        expect(skipped).toEqual([...isBad].sort((a, b) => a - b));
        const log = Math.ceil(Math.log2(batch)) + 1;
        expect(attempts).toBeLessThanOrEqual(Math.ceil(1000 / batch) + isBad.size * (4 * log + 6));
      }),
    );
  });
});

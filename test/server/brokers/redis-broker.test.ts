import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pauseQueue, resumeQueue } from '#db/queries/queues.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { mendReadySets } from '#server/brokers/mend-ready-sets.ts';
import type { ReadySets } from '#server/brokers/ready-sets.ts';
import { prefixOf, readySetsOf, startBrokeredEngine, type BrokeredEngine } from '../../helpers/brokers.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf, reportOf } from '../../helpers/engine.ts';
import { startTestRedis, type TestRedis } from '../../helpers/redis.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
let redis: TestRedis;
let one: BrokeredEngine;
let two: BrokeredEngine;
let sets: ReadySets;
let prefix: string;
let workerId: number;

beforeAll(async () => {
  redis = await startTestRedis();
  one = await startBrokeredEngine(database, redis);
  two = await startBrokeredEngine(database, redis);
  sets = await readySetsOf(database, redis);
  prefix = await prefixOf(database);
  workerId = await one.engine.worker();
});
beforeEach(() => redis.client.flushall());
afterEach(() => checkRuns(database));
afterAll(async () => {
  await Promise.all([one.stop(), two.stop()]);
  expect([...one.engine.errors, ...two.engine.errors]).toEqual([]);
  await redis.stop();
});

let dags = 0;
type Tasks = Parameters<typeof dagOf>[1];
/** A run whose tasks stand in a queue of its own, unless they name one. */
async function start(tasks: Tasks, { engine } = one): Promise<{ queue: string; runId: number }> {
  const queue = `q${++dags}`;
  const own = Object.entries(tasks).map(([id, task]) => [
    id,
    { queue, ...(Array.isArray(task) ? { upstream: task } : task) },
  ]);
  const { dagId } = await engine.deploy(dagOf(`broker_${dags}`, Object.fromEntries(own) as Tasks));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return { queue, runId: run!.runId };
}
const members = (queue: string) => redis.client.zrange(`${prefix}ready:${queue}`, '0', '-1');
const isTold = (queue: string, n: number) =>
  waitFor(async () => (await members(queue)).length === n, { what: `${n} members of ${queue}` });
const claim = (queues: string | string[], limit: number, { engine } = one) =>
  engine.claim({ workerId, queues: [queues].flat(), limit });
const taskIds = (dispatches: Dispatch[]) => dispatches.map(({ taskId }) => taskId);
const finish = (dispatches: Dispatch[], { engine } = one) =>
  engine.report({ workerId, reports: dispatches.map((dispatch) => reportOf(dispatch)) });

describe('a broker in Redis', () => {
  it('is told the ids of what is ready, and nothing else; what is claimed leaves nothing behind', async () => {
    const { queue } = await start({ a: [], b: [], c: ['a'] });
    await isTold(queue, 2);
    const { rows } = await database.pool.query('select id from ready_task where queue = $1 order by id', [queue]);
    expect((await members(queue)).map(Number)).toEqual(rows.map((row: { id: number }) => Number(row.id)));
    const claimed = await claim(queue, 10);
    expect(taskIds(claimed)).toEqual(['a', 'b']);
    await finish(claimed);
    await isTold(queue, 1);
    await finish(await claim(queue, 10));
    expect((await redis.client.keys('*')).filter((key) => key.includes(':ready:'))).toEqual([]);
  });

  it('gives what is first in line over all queues that a worker serves: by priority, then by age', async () => {
    const first = await start({ a: { priority: 1 }, b: { priority: 5 }, c: { priority: 1 } });
    const second = await start({ d: { priority: 3 }, e: { priority: 1 } });
    await isTold(first.queue, 3);
    await isTold(second.queue, 2);
    const order: string[] = [];
    for (let i = 0; i < 5; i++) {
      const [dispatch] = await claim([second.queue, first.queue], 1, i % 2 ? one : two);
      order.push(dispatch!.taskId);
      await finish([dispatch!]);
    }
    expect(order).toEqual(['b', 'd', 'a', 'c', 'e']);
  });

  it('hands a child over with the report of its parent, and fills what is left with the line', async () => {
    const { queue } = await start({ a: [], b: ['a'], c: [], d: [], e: [] });
    await isTold(queue, 4);
    const [a] = await claim(queue, 1);
    const { dispatches, answers } = await one.engine.report({
      workerId,
      reports: [reportOf(a!)],
      claim: { queues: [queue], limit: 3 },
    });
    expect(answers).toEqual(['ACCEPTED']);
    expect(taskIds(dispatches)).toEqual(['b', 'c', 'd']);
    await finish([...dispatches, ...(await claim(queue, 10))]);
  });

  it('that was emptied is filled again within two seconds, and whoever waits is woken', async () => {
    const { queue } = await start({ a: [], b: [] });
    await isTold(queue, 2);
    await redis.client.flushall();
    expect(await claim(queue, 10)).toEqual([]);
    const woken = new Promise<void>((resolve) => one.broker.onReady((name) => name === queue && resolve()));
    const emptied = performance.now();
    await woken;
    expect(performance.now() - emptied).toBeLessThan(2_500);
    await finish(await claim(queue, 10, two));
  });

  it('repeated messages and those of rows long gone give nothing twice', async () => {
    const { queue } = await start({ a: [], b: [] });
    await isTold(queue, 2);
    const before = await redis.client.zrange(`${prefix}ready:${queue}`, '0', '-1', 'WITHSCORES');
    const again = () => redis.client.zadd(`${prefix}ready:${queue}`, before[1]!, before[0]!, before[3]!, before[2]!);
    const [a] = await claim(queue, 1);
    await again();
    const rest = await Promise.all([claim(queue, 5), claim(queue, 5, two), again().then(() => claim(queue, 5, two))]);
    expect(taskIds([a!, ...rest.flat()])).toEqual(['a', 'b']);
    await finish([a!, ...rest.flat()]);
  });

  it('a row whose run is locked is not forgotten', async () => {
    const { queue, runId } = await start({ a: [] });
    await isTold(queue, 1);
    const client = await database.pool.connect();
    await client.query('begin');
    await client.query('select from dag_run where id = $1 for update', [runId]);
    expect(await claim(queue, 1)).toEqual([]);
    await isTold(queue, 1);
    const woken = new Promise<void>((resolve) => two.broker.onReady((name) => name === queue && resolve()));
    await client.query('rollback');
    client.release();
    await woken;
    const claimed = await claim(queue, 1, two);
    expect(taskIds(claimed)).toEqual(['a']);
    await finish(claimed);
  });

  it('keeps what stands in a paused queue, also from who took it before', async () => {
    const { queue } = await start({ a: [] });
    await isTold(queue, 1);
    await pauseQueue(database.db, queue, 'test');
    // Engine one has heard of it; the other one asks the row
    await one.engine.queuesChanged();
    expect([await claim(queue, 1), await claim(queue, 1, two)]).toEqual([[], []]);
    await isTold(queue, 1);
    await resumeQueue(database.db, queue, 'test');
    await one.engine.queuesChanged();
    await finish(await claim(queue, 1));
  });

  it('drops sets that have grown far beyond their lines, and those of lines that are gone', async () => {
    const { queue } = await start({ a: [], b: [] });
    await isTold(queue, 2);
    const stale = Array.from({ length: 500 }, (_, i) => ({ queue, rank: 0, id: 10_000_000 + i }));
    await sets.add([...stale, ...stale.map((row) => ({ ...row, queue: 'long-gone' }))], false);
    const signal = new AbortController().signal;
    await mendReadySets({ db: database.db, sets, signal, thoroughly: false });
    expect([(await members(queue)).length, (await members('long-gone')).length]).toEqual([2, 0]);
    await finish(await claim(queue, 5));
    await mendReadySets({ db: database.db, sets, signal, thoroughly: false });
    expect(await sets.queues()).toEqual([]);
  });

  it('a long line that was lost comes back whole', async () => {
    const tasks = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`t${i}`, []]));
    const { queue } = await start(tasks);
    await redis.client.flushall();
    await mendReadySets({ db: database.db, sets, signal: new AbortController().signal, thoroughly: false });
    expect(await members(queue)).toHaveLength(300);
    const claimed = await claim(queue, 1_000);
    expect(claimed).toHaveLength(300);
    await finish(claimed);
  });
});

describe('while Redis is away', () => {
  it('claims ask the table; it is said once, and once that it is back', async () => {
    const { queue } = await start({ a: [], b: ['a'], c: [], d: [] });
    await isTold(queue, 3);
    await redis.kill();
    await waitFor(() => !one.broker.isUp());
    const fallbacks = one.broker.counts.fallbacks;
    const claimed = await claim(queue, 2);
    expect(taskIds(claimed)).toEqual(['a', 'c']);
    const { dispatches } = await one.engine.report({
      workerId,
      reports: claimed.map((dispatch) => reportOf(dispatch)),
      claim: { queues: [queue], limit: 1 },
    });
    expect(taskIds(dispatches)).toEqual(['b']);
    await finish(dispatches);
    expect(one.broker.counts.fallbacks).toBeGreaterThan(fallbacks);
    await redis.start();
    await isTold(queue, 1);
    await waitFor(() => one.broker.isUp());
    await finish(await claim(queue, 5));
    const said = one.logged.filter((line) => line.startsWith('Redis'));
    expect(said).toEqual(['Redis does not answer: claims ask Postgres until it does', 'Redis answers again']);
  });

  it('one that refuses the password is as good as away, and the password is not logged', async () => {
    const url = redis.url.replace('redis://', 'redis://:geheim@');
    await redis.client.config('SET', 'requirepass', 'another');
    const refused = await startBrokeredEngine(database, { url }, { isReachable: false });
    await waitFor(() => refused.lines.length > 0, { what: 'the refusal to be logged' });
    const { queue } = await start({ a: [] }, refused);
    const claimed = await claim(queue, 1, refused);
    expect(taskIds(claimed)).toEqual(['a']);
    await finish(claimed, refused);
    await refused.stop();
    await redis.client.config('SET', 'requirepass', '');
    expect(refused.lines.join()).toContain('WRONGPASS');
    expect(refused.lines.join()).not.toContain('geheim');
  });

  it('one that has fallen silent holds a claim up for a second at most, once', async () => {
    const { queue } = await start({ a: [], b: [], c: [] });
    await isTold(queue, 3);
    process.kill(redis.pid(), 'SIGSTOP');
    try {
      const began = performance.now();
      const claimed = await claim(queue, 1);
      const first = performance.now() - began;
      claimed.push(...(await claim(queue, 1)));
      expect(taskIds(claimed)).toEqual(['a', 'b']);
      expect(first).toBeLessThan(3_000);
      expect(performance.now() - began - first).toBeLessThan(900);
      await finish(claimed);
    } finally {
      process.kill(redis.pid(), 'SIGCONT');
    }
    await waitFor(() => one.broker.isUp());
    await waitFor(() => two.broker.isUp());
    const last: Dispatch[] = [];
    await waitFor(async () => last.push(...(await claim(queue, 1, two))), { what: 'the last task to be claimed' });
    await finish(last);
  });
});

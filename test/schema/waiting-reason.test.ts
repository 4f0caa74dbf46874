import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '#db/queries/pools.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let viewer: string;

beforeAll(async () => {
  app = await startTestApp(database);
  viewer = await app.token('viewer');
});
afterAll(() => app.stop());

interface Reason {
  kind: string;
  message: string;
  details: { [key: string]: unknown };
}
async function reasonsOf(runId: number): Promise<{ run: Reason | null; tasks: Record<string, Reason | null> }> {
  const { data, errors } = await app.graphql(
    `query ($runId: ID!) { dagRun(runId: $runId) { waitingReason { kind message details }
      taskInstances(first: 50) { edges { node { taskId waitingReason { kind message details } } } } } }`,
    { runId: String(runId) },
    viewer,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  const edges: { node: { taskId: string; waitingReason: Reason | null } }[] = data.dagRun.taskInstances.edges;
  return {
    run: data.dagRun.waitingReason,
    tasks: Object.fromEntries(edges.map(({ node }) => [node.taskId, node.waitingReason])),
  };
}
const messages = (tasks: Record<string, Reason | null>) =>
  Object.fromEntries(Object.entries(tasks).map(([taskId, reason]) => [taskId, reason && reason.message]));
async function start(
  spec: ReturnType<typeof dagOf>,
  ...confs: ({ [key: string]: string } | null)[]
): Promise<number[]> {
  const { dagId } = await app.engine.deploy(spec);
  const runs: number[] = [];
  for (const conf of confs.length > 0 ? confs : [null])
    runs.push((await app.engine.createRuns([{ dagId, kind: 'manual', conf }]))[0]!.runId);
  return runs;
}

describe('a task instance says that it waits', () => {
  it('for upstreams, and which; for workers of its queue; for nothing when it is done', async () => {
    const queue = 'nobody';
    const tasks = { a: { queue }, b: { upstream: ['a'] }, c: { kind: 'empty' as const }, d: ['a', 'b', 'c'] };
    const [run] = await start(dagOf('waits', tasks));
    const { tasks: reasons } = await reasonsOf(run!);
    expect(messages(reasons)).toEqual({
      a: 'No worker serves queue "nobody".',
      b: 'It waits for 1 upstream instance to finish: a (rule all_success).',
      c: null,
      d: 'It waits for 2 upstream instances to finish: a, b (rule all_success).',
    });
    expect(reasons['d']).toMatchObject({ kind: 'UPSTREAMS', details: { unfinished: 2, tasks: ['a', 'b'] } });
  });

  it('for a worker that is not busy', async () => {
    const info = { name: 'small', queues: ['tight'], slots: 1, version: 't', hostname: null, pid: null };
    const workerId = await app.engine.registerWorker(info);
    const [run] = await start(dagOf('tight', { a: { queue: 'tight' }, b: { queue: 'tight' } }));
    expect(messages((await reasonsOf(run!)).tasks)).toMatchObject({ a: 'A worker is about to take it.' });
    await app.engine.claim({ workerId, queues: ['tight'], limit: 1 });
    expect((await reasonsOf(run!)).tasks).toMatchObject({
      a: null,
      b: {
        kind: 'WORKERS_BUSY',
        message: 'The one slot of the 1 worker of queue "tight" is taken.',
        details: { running: 1, slots: 1 },
      },
    });
  });

  it('for a pool: who holds it, and who comes first', async () => {
    const pool = { includeDeferred: false, description: null };
    await createPool(database.db, { ...pool, name: 'p', slots: 1 }, 'test');
    const [run] = await start(dagOf('pooled', { a: { pool: 'p', priority: 2 }, b: { pool: 'p' } }));
    const [other] = await start(
      dagOf('pooled_too', { c: { pool: 'p' }, d: { pool: 'q' }, e: { pool: 'p', poolSlots: 2 } }),
    );
    expect((await reasonsOf(run!)).tasks).toMatchObject({
      b: {
        kind: 'POOL_FULL',
        message: `1 of 1 slots of pool "p" are taken by pooled.a of run ${run}; it needs 1.`,
        details: { pool: 'p', held: 1, slots: 1, ahead: 0, holders: [{ dagId: 'pooled', taskId: 'a' }] },
      },
    });
    expect(messages((await reasonsOf(other!)).tasks)).toEqual({
      c: `1 of 1 slots of pool "p" are taken by pooled.a of run ${run}; it needs 1. 1 group of tasks comes first.`,
      d: 'Pool "q" does not exist.',
      e: 'It needs 2 slots of pool "p", which has 1.',
    });
  });

  it('for the limits of its run, its DAG and itself', async () => {
    const [full] = await start(dagOf('full', { a: [], b: [] }, { maxActiveTasks: 1 }));
    expect((await reasonsOf(full!)).tasks).toMatchObject({
      b: { kind: 'MAX_ACTIVE_TASKS', details: { active: 1, limit: 1 } },
    });
    const [, dag] = await start(dagOf('dag_full', { a: [] }, { maxActiveTasksPerDag: 1 }), null, null);
    expect((await reasonsOf(dag!)).tasks).toMatchObject({ a: { kind: 'MAX_ACTIVE_TASKS_PER_DAG' } });
    const [, task] = await start(dagOf('task_full', { a: { maxActiveTis: 1 } }), null, null);
    expect((await reasonsOf(task!)).tasks).toMatchObject({
      a: { kind: 'MAX_ACTIVE_TIS', details: { held: 1, limit: 1 } },
    });
    const concurrencyKey = { key: ['conf.customer'], limit: 1 };
    const [first, second] = await start(
      dagOf('key_full', { a: { concurrencyKey } }),
      { customer: 'x' },
      { customer: 'x' },
    );
    expect(messages((await reasonsOf(second!)).tasks)).toEqual({
      a: `Its concurrency key ["x"] is taken by key_full.a of run ${first}.`,
    });
  });

  it('for a token of its rate, a retry, and the start of its run', async () => {
    const rateLimit = { limit: 1, per: 3600, key: [], name: null };
    const [, limited] = await start(dagOf('limited', { a: { rateLimit } }), null, null);
    expect((await reasonsOf(limited!)).tasks).toMatchObject({
      a: { kind: 'RATE_LIMIT', message: expect.stringMatching(/^Its rate limit lets the next task start at 20.+Z\.$/) },
    });
    const [retried] = await start(dagOf('retried', { a: { queue: 'r', retries: 1, retryDelay: 3600 } }));
    const info = { name: 'r', queues: ['r'], slots: 1, version: 't', hostname: null, pid: null };
    const workerId = await app.engine.registerWorker(info);
    const [dispatch] = await app.engine.claim({ workerId, queues: ['r'], limit: 1 });
    await app.engine.report({ workerId, reports: [reportOf(dispatch!, 'failed')] });
    expect((await reasonsOf(retried!)).tasks).toMatchObject({
      a: { kind: 'RETRY', message: expect.stringMatching(/^Its next try is due at 20/) },
    });
  });
});

describe('a run says that it waits', () => {
  it('for its DAG to go on, for room, and for its key; its tasks wait for it', async () => {
    const [paused] = await start(dagOf('paused', { a: [] }, { pausedOnCreation: true }));
    expect(await reasonsOf(paused!)).toMatchObject({
      run: { kind: 'DAG_PAUSED' },
      tasks: { a: { kind: 'RUN_QUEUED' } },
    });
    const [running, queued] = await start(dagOf('one_run', { a: [] }, { maxActiveRuns: 1 }), null, null);
    expect((await reasonsOf(running!)).run).toBeNull();
    expect((await reasonsOf(queued!)).run).toMatchObject({
      kind: 'MAX_ACTIVE_RUNS',
      message: '1 run of its DAG is active, which is the most that may be (maxActiveRuns).',
    });
    const concurrency = { key: ['params.c'], limit: 1, strategy: 'queue' as const };
    const [holder, behind] = await start(dagOf('one_key', { a: [] }, { concurrency }), { c: 'x' }, { c: 'x' });
    expect((await reasonsOf(behind!)).run).toMatchObject({
      kind: 'CONCURRENCY_KEY',
      message: `Its concurrency key ["x"] is taken by run ${holder}.`,
    });
  });
});

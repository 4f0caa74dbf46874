import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pauseQueue, resumeQueue } from '#db/queries/queues.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, statesOf, type TestEngine } from '../../helpers/engine.ts';
import { checkRuns } from '../../helpers/check-runs.ts';

const database = await createTestDatabase();
let engine: TestEngine;
beforeAll(() => {
  engine = createTestEngine(database);
});
afterAll(async () => {
  await engine.stop();
  await checkRuns(database);
});

const pause = async (name: string, by: TestEngine = engine) => {
  await pauseQueue(database.db, name, 'test');
  await by.queuesChanged();
};
const resume = async (name: string) => {
  await resumeQueue(database.db, name, 'test');
  await engine.queuesChanged();
};
const worker = (name: string, queues: string[]) =>
  engine.registerWorker({ name, queues, slots: 100, version: 't', hostname: null, pid: null });

describe('of a paused queue', () => {
  it('nothing is claimed, while other queues go on', async () => {
    const queues = ['left', 'right'];
    const workerId = await worker('both', queues);
    const { dagId } = await engine.deploy(dagOf('two', { a: { queue: 'left' }, b: { queue: 'right' } }));
    await pause('left');
    await engine.createRuns([{ dagId, kind: 'manual' }]);
    const claimed = await engine.claim({ workerId, queues, limit: 10 });
    expect(claimed.map(({ taskId }) => taskId)).toEqual(['b']);
    await resume('left');
    const more = await engine.claim({ workerId, queues, limit: 10 });
    expect(more.map(({ taskId }) => taskId)).toEqual(['a']);
    await engine.report({ workerId, reports: [...claimed, ...more].map((dispatch) => reportOf(dispatch)) });
  });

  it('no child is handed over with the report of its parent: it stands in line', async () => {
    const queues = ['chain'];
    const workerId = await worker('chained', queues);
    const { dagId } = await engine.deploy(
      dagOf('chain', { a: { queue: 'chain' }, b: { queue: 'chain', upstream: ['a'] } }),
    );
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    const [a] = await engine.claim({ workerId, queues, limit: 1 });
    await pause('chain');
    const answer = await engine.report({ workerId, reports: [reportOf(a!)], claim: { queues, limit: 1 } });
    expect(answer).toMatchObject({ answers: ['ACCEPTED'], dispatches: [] });
    expect(await statesOf(database, run!.runId)).toEqual({ a: 'success', b: 'queued' });
    await resume('chain');
    const [b] = await engine.claim({ workerId, queues, limit: 1 });
    expect(b?.taskId).toBe('b');
    await engine.report({ workerId, reports: [reportOf(b!)] });
  });

  it('an engine that has just started hands nothing over either', async () => {
    const queues = ['fresh'];
    const workerId = await worker('fresh', queues);
    const { dagId } = await engine.deploy(
      dagOf('fresh', { a: { queue: 'fresh' }, b: { queue: 'fresh', upstream: ['a'] } }),
    );
    await engine.createRuns([{ dagId, kind: 'manual' }]);
    const [a] = await engine.claim({ workerId, queues, limit: 1 });
    await pauseQueue(database.db, 'fresh', 'test');
    const other = createTestEngine(database);
    const answer = await other.report({ workerId, reports: [reportOf(a!)], claim: { queues, limit: 1 } });
    await other.stop();
    expect(answer.dispatches).toEqual([]);
    await resume('fresh');
    const [b] = await engine.claim({ workerId, queues, limit: 1 });
    await engine.report({ workerId, reports: [reportOf(b!)] });
  });

  it('nothing starts after the pause was answered, whatever was under way', async () => {
    const queues = ['race'];
    const workerId = await worker('racer', queues);
    const tasks = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        [`a${i}`, { queue: 'race' }],
        [`b${i}`, { queue: 'race', upstream: [`a${i}`] }],
      ]).flat() as [string, { queue: string }][],
    );
    const { dagId } = await engine.deploy(dagOf('race', tasks));
    for (let round = 0; round < 8; round++) {
      await engine.createRuns([{ dagId, kind: 'manual' }]);
      let stopped = false;
      const held: Dispatch[] = [];
      const claimer = async () => {
        while (!stopped) {
          const [dispatch] = held.splice(0, 1);
          const claim = { queues, limit: 2 };
          const taken = dispatch
            ? (await engine.report({ workerId, reports: [reportOf(dispatch)], claim })).dispatches
            : await engine.claim({ workerId, ...claim });
          held.push(...taken);
        }
      };
      const claimers = Array.from({ length: 6 }, claimer);
      // Somewhere in the middle of it
      while (held.length < round) await new Promise((resolve) => setImmediate(resolve));
      await pause('race');
      const { rows: clock } = await database.pool.query<{ now: string }>('select clock_timestamp()::text as now');
      for (let i = 0; i < 20; i++) await engine.claim({ workerId, queues, limit: 1 });
      stopped = true;
      await Promise.all(claimers);
      const { rows } = await database.pool.query(
        `select t.task_index, t.started_at from task_instance t join dag_run r on r.id = t.run_id
         where r.dag_id = $1 and t.started_at > $2::timestamptz`,
        [dagId, clock[0]!.now],
      );
      expect(rows).toEqual([]);
      await resume('race');
      for (let left = held; left.length > 0;)
        left = (
          await engine.report({
            workerId,
            reports: left.map((dispatch) => reportOf(dispatch)),
            claim: { queues, limit: 100 },
          })
        ).dispatches;
    }
  });
});

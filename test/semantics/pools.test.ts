import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, reportOf } from '../helpers/engine.ts';
import { createLimitedRuns, names } from '../helpers/limited-runs.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const { setPool, start, claim, end, becomes, drain } = createLimitedRuns(database, engine, await engine.worker());
afterAll(() => engine.stop());
/** What a test leaves behind must not stand in the way of the next. */
afterEach(async () => {
  await checkRuns(database);
  const { rows } = await database.pool.query<{ id: number }>(`select id from dag_run where ended_at is null`);
  for (const { id } of rows) await engine.cancelRun(id, 'test');
  await checkRuns(database);
  const { rows: left } = await database.pool.query('select from held_slot union all select from waiting_gate');
  expect(left).toEqual([]);
  expect(engine.errors).toEqual([]);
});

describe('a pool', () => {
  it('lets as many of its tasks be queued or running as it has slots', async () => {
    await setPool('two', 2);
    const [run] = await start(dagOf('two_slots', { a: { pool: 'two' }, b: { pool: 'two' }, c: { pool: 'two' } }));
    await becomes(run!, { a: 'queued', b: 'queued', c: 'scheduled' });
  });

  it('lets the next task in when one of its tasks ends, however it ends', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('next', { a: { pool: 'one' }, b: { pool: 'one' }, c: { pool: 'one' } }));
    await end(await claim(), 'failed');
    await becomes(run!, { a: 'failed', b: 'queued', c: 'scheduled' });
    await end(await claim(), 'skipped');
    await becomes(run!, { a: 'failed', b: 'skipped', c: 'queued' });
  });

  it('does not hold back the tasks that are in no pool', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('free', { a: { pool: 'one' }, b: { pool: 'one' }, c: [] }));
    await becomes(run!, { a: 'queued', b: 'scheduled', c: 'queued' });
  });

  it('counts the tasks of all DAGs together', async () => {
    await setPool('one', 1);
    const [first] = await start(dagOf('dag_1', { a: { pool: 'one' } }));
    const [second] = await start(dagOf('dag_2', { b: { pool: 'one' } }));
    await becomes(second!, { b: 'scheduled' });
    await end(await claim());
    await becomes(first!, { a: 'success' });
    await becomes(second!, { b: 'queued' });
  });

  it('takes as many slots as a task says', async () => {
    await setPool('three', 3);
    const [run] = await start(
      dagOf('slots', { a: { pool: 'three', poolSlots: 2 }, b: { pool: 'three', poolSlots: 2 }, c: { pool: 'three' } }),
    );
    await becomes(run!, { a: 'queued', b: 'scheduled', c: 'scheduled' });
  });

  it('keeps its freed slots for the first in line, until they are enough', async () => {
    await setPool('two', 2);
    const [run] = await start(
      dagOf('patience', {
        a: { pool: 'two', priority: 3 },
        b: { pool: 'two', priority: 3 },
        wide: { pool: 'two', poolSlots: 2, priority: 2 },
        small: { pool: 'two', priority: 1 },
      }),
    );
    const [one, two] = await claim();
    await end([one!]);
    await becomes(run!, { a: 'success', b: 'running', wide: 'scheduled', small: 'scheduled' });
    await end([two!]);
    await becomes(run!, { a: 'success', b: 'success', wide: 'queued', small: 'scheduled' });
  });

  it('that does not exist makes its tasks wait, until there is one', async () => {
    const [run] = await start(dagOf('unknown', { a: { pool: 'missing' }, b: [] }));
    await becomes(run!, { a: 'scheduled', b: 'queued' });
    await setPool('missing', 1);
    await engine.wakeGates(['pool:missing', 'nopool:missing']);
    await becomes(run!, { a: 'queued', b: 'queued' });
  });

  it('with fewer slots than a task takes lets the others pass', async () => {
    await setPool('small', 2);
    const [run] = await start(
      dagOf('too_wide', { wide: { pool: 'small', poolSlots: 3, priority: 9 }, a: { pool: 'small' } }),
    );
    await becomes(run!, { wide: 'scheduled', a: 'queued' });
    await setPool('small', 4);
    await engine.wakeGates(['pool:small', 'nopool:small']);
    await becomes(run!, { wide: 'queued', a: 'queued' });
  });

  it('with no slots lets nothing pass', async () => {
    await setPool('shut', 0);
    const [run] = await start(dagOf('shut', { a: { pool: 'shut' } }));
    await becomes(run!, { a: 'scheduled' });
  });

  it('that grows lets more of those who wait pass', async () => {
    await setPool('grows', 1);
    const [run] = await start(dagOf('grows', { a: { pool: 'grows' }, b: { pool: 'grows' }, c: { pool: 'grows' } }));
    await setPool('grows', 2);
    await engine.wakeGates(['pool:grows', 'nopool:grows']);
    await becomes(run!, { a: 'queued', b: 'queued', c: 'scheduled' });
  });

  it('that shrinks takes nothing from those who run, and lets nobody pass until there is room', async () => {
    await setPool('shrinks', 2);
    const tasks = { a: { pool: 'shrinks' }, b: { pool: 'shrinks' }, c: { pool: 'shrinks' } };
    const [run] = await start(dagOf('shrinks', tasks));
    const [one, two] = await claim();
    await setPool('shrinks', 1);
    await end([one!]);
    await becomes(run!, { a: 'success', b: 'running', c: 'scheduled' });
    await end([two!]);
    await becomes(run!, { a: 'success', b: 'success', c: 'queued' });
  });

  it('lets the higher priority pass first, also that of another DAG that came later', async () => {
    await setPool('one', 1);
    await start(dagOf('low', { a: { pool: 'one', priority: 5 }, b: { pool: 'one', priority: 1 } }));
    const [high] = await start(dagOf('high', { c: { pool: 'one', priority: 2 } }));
    await end(await claim());
    await becomes(high!, { c: 'queued' });
  });

  it('lets the older run pass first where priorities are equal', async () => {
    await setPool('one', 1);
    const spec = dagOf('in_order', { a: { pool: 'one' } });
    const runs = await start(spec, null, null, null);
    expect(await drain(runs)).toEqual(['0.a', '1.a', '2.a']);
  });

  it('is given back while a task waits for its next try, and asked again for it', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('again', { a: { pool: 'one', retries: 1, priority: 2 }, b: { pool: 'one' } }));
    await end(await claim(), 'failed');
    await becomes(run!, { a: 'up_for_retry', b: 'queued' });
    await engine.wakeTasks([{ runId: run!, taskIndex: 0, mapIndex: -1 }]);
    await becomes(run!, { a: 'scheduled', b: 'queued' });
    await end(await claim());
    await becomes(run!, { a: 'queued', b: 'success' });
  });

  it('stays taken by a task that its worker hands back', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('handed_back', { a: { pool: 'one' }, b: { pool: 'one' } }));
    await end(await claim(), 'released');
    await becomes(run!, { a: 'queued', b: 'scheduled' });
  });

  it('is given back by a run that is cancelled', async () => {
    await setPool('one', 1);
    const [first] = await start(dagOf('cancelled', { a: { pool: 'one' } }));
    const [second] = await start(dagOf('cancelled_next', { b: { pool: 'one' } }));
    await claim();
    await engine.cancelRun(first!, 'test');
    await becomes(second!, { b: 'queued' });
  });

  it('is given back by a task that is marked, and asked again by one that is cleared', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('by_hand', { a: { pool: 'one' }, b: { pool: 'one' } }));
    await engine.editTasks({ runId: run!, action: 'success', taskIds: ['a'], actor: 'test' });
    await becomes(run!, { a: 'success', b: 'queued' });
    await engine.editTasks({ runId: run!, action: 'clear', taskIds: ['a'], actor: 'test' });
    await becomes(run!, { a: 'scheduled', b: 'queued' });
  });

  it('is given back by a task whose runner fell silent', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('silent', { a: { pool: 'one' }, b: { pool: 'one' } }));
    await claim();
    await database.pool.query(`update task_instance set deadline_at = now() - interval '1 s' where state = 'running'`);
    await engine.expireLeases();
    await becomes(run!, { a: 'failed', b: 'queued' });
  });

  it('is not asked by empty tasks, which take up nothing', async () => {
    const [run] = await start(dagOf('empty', { a: { kind: 'empty', pool: 'missing' }, b: ['a'] }));
    await becomes(run!, { a: 'success', b: 'queued' });
  });

  it('holds downstreams back as it does the first tasks', async () => {
    await setPool('one', 1);
    const [run] = await start(
      dagOf('later', { a: [], b: { upstream: ['a'], pool: 'one' }, c: { upstream: ['a'], pool: 'one' } }),
    );
    await end(await claim());
    await becomes(run!, { a: 'success', b: 'queued', c: 'scheduled' });
    await end(await claim());
    await becomes(run!, { a: 'success', b: 'success', c: 'queued' });
  });

  it.each([
    [false, 'queued'],
    [true, 'scheduled'],
  ])(
    'that includes the deferred (%s) leaves the next task %s while one waits without a worker',
    async (included, next) => {
      await setPool('wait', 1, included);
      const queue = '@pools';
      const [run] = await start(dagOf(`deferred_${included}`, { a: { pool: 'wait', queue }, b: { pool: 'wait' } }));
      const workerId = await engine.worker();
      const [dispatch] = await engine.claim({ workerId, queues: [queue], limit: 1 });
      const defer = { kind: 'test', spec: {}, dueAt: null, timeoutSeconds: null, watchKey: null };
      await engine.report({ workerId, reports: [reportOf(dispatch!, 'deferred', { defer })] });
      await becomes(run!, { a: 'deferred', b: next });
      await engine.report({ workerId, reports: [reportOf(dispatch!)] });
      await becomes(run!, { a: 'success', b: 'queued' });
    },
  );

  it('and the limit of its run both hold', async () => {
    await setPool('three', 3);
    const tasks = { a: { pool: 'three' }, b: { pool: 'three' }, c: [], d: [] };
    const [run] = await start(dagOf('both', tasks, { maxActiveTasks: 3 }));
    await becomes(run!, { a: 'queued', b: 'queued', c: 'queued', d: 'scheduled' });
    expect(names(await claim())).toEqual(['a', 'b', 'c']);
  });

  it('gets its slots back from what a crash has left behind', async () => {
    await setPool('one', 1);
    const [run] = await start(dagOf('leftover', { a: { pool: 'one' } }));
    await database.pool.query(
      `insert into held_slot (gate, run_id, task_index, map_index, slots) values ('pool:one', $1, 0, 7, 1)`,
      [run],
    );
    await end(await claim());
    const [next] = await start(dagOf('after_leftover', { b: { pool: 'one' } }));
    await becomes(next!, { b: 'scheduled' });
    await engine.reviewGates();
    await becomes(next!, { b: 'queued' });
  });
});

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, runStateOf, statesOf, work } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
afterAll(() => engine.stop());
afterEach(() => checkRuns(database));

async function start(spec: Parameters<typeof engine.deploy>[0]): Promise<number> {
  const { dagId } = await engine.deploy(spec);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  if (!run?.created) throw new Error('no run was created');
  return run.runId;
}

describe('a run', () => {
  it('works a chain to its end, handing each child over in its parent’s report', async () => {
    const runId = await start(dagOf('chain', { a: [], b: ['a'], c: ['b'] }));
    const worker = await engine.worker();
    expect(await work(engine, worker)).toEqual(['a#1', 'b#1', 'c#1']);
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'success', c: 'success' });
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('answers two reports of one worker in one flush with no more tasks than each asked for', async () => {
    const { dagId } = await engine.deploy(dagOf('two', { a: [], b: ['a'], c: ['a'] }));
    await engine.createRuns([1, 2].map(() => ({ dagId, kind: 'manual' as const })));
    const workerId = await engine.worker();
    const roots = await engine.claim({ workerId, queues: ['default'], limit: 2 });
    const answers = await Promise.all(
      roots.map((root, i) => {
        const claim = { queues: ['default'], limit: [1, 3][i]! };
        return engine.report({ workerId, reports: [reportOf(root)], claim });
      }),
    );
    expect(answers.map(({ dispatches }) => dispatches.length)).toEqual([1, 3]);
    await engine.report({ workerId, reports: answers.flatMap(({ dispatches }) => dispatches.map((d) => reportOf(d))) });
  });

  it('joins a diamond only when all its branches are done', async () => {
    const runId = await start(dagOf('diamond', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }));
    const worker = await engine.worker();
    const order = await work(engine, worker);
    expect(order.at(0)).toBe('a#1');
    expect(order.at(-1)).toBe('d#1');
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('retries a failed try, then fails it and what depends on it', async () => {
    const runId = await start(dagOf('retry', { a: { retries: 1 }, b: ['a'], c: ['b'] }));
    const worker = await engine.worker();
    expect(await work(engine, worker, () => 'failed')).toEqual(['a#1']);
    expect(await statesOf(database, runId)).toEqual({ a: 'up_for_retry', b: 'none', c: 'none' });
    await engine.wakeTasks([{ runId, taskIndex: 0, mapIndex: -1 }]);
    expect(await work(engine, worker, () => 'failed')).toEqual(['a#2']);
    expect(await statesOf(database, runId)).toEqual({ a: 'failed', b: 'upstream_failed', c: 'upstream_failed' });
    expect(await runStateOf(database, runId)).toBe('failed');
  });

  it('settles empty tasks by itself, whatever stands before and behind them', async () => {
    const runId = await start(
      dagOf('empty', {
        start: { kind: 'empty' },
        a: ['start'],
        join: { kind: 'empty', upstream: ['a'] },
        z: { kind: 'empty', upstream: ['join'] },
      }),
    );
    expect(await statesOf(database, runId)).toEqual({ start: 'success', a: 'queued', join: 'none', z: 'none' });
    await work(engine, await engine.worker());
    expect(await statesOf(database, runId)).toEqual({ start: 'success', a: 'success', join: 'success', z: 'success' });
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('keeps max_active_tasks', async () => {
    const spec = dagOf('limited', { a: [], b: [], c: [], d: ['a', 'b', 'c'] }, { maxActiveTasks: 2 });
    const runId = await start(spec);
    const worker = await engine.worker();
    const first = await engine.claim({ workerId: worker, queues: ['default'], limit: 10 });
    expect(first.map((dispatch) => dispatch.taskId)).toEqual(['a', 'b']);
    expect((await statesOf(database, runId))['c']).toBe('scheduled');
    const next = await engine.report({
      workerId: worker,
      reports: [reportOf(first[0]!)],
      claim: { queues: ['default'], limit: 9 },
    });
    expect(next.dispatches.map((dispatch) => dispatch.taskId)).toEqual(['c']);
    await engine.report({ workerId: worker, reports: [reportOf(first[1]!), reportOf(next.dispatches[0]!)] });
    expect(await work(engine, worker)).toEqual(['d#1']);
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('keeps max_active_runs, and starts the next run when one ends', async () => {
    const { dagId } = await engine.deploy(dagOf('one_run', { a: [] }, { maxActiveRuns: 1 }));
    const runs = await engine.createRuns([
      { dagId, kind: 'manual' },
      { dagId, kind: 'manual' },
    ]);
    const [first, second] = runs.map((run) => run.runId) as [number, number];
    expect([await runStateOf(database, first), await runStateOf(database, second)]).toEqual(['running', 'queued']);
    const worker = await engine.worker();
    await work(engine, worker);
    await expect.poll(() => runStateOf(database, second)).toBe('running');
    await work(engine, worker);
    expect(await runStateOf(database, second)).toBe('success');
  });
});

describe('reports', () => {
  it('answers ACCEPTED once, DUPLICATE after it, FENCED to another dispatch, UNKNOWN to none', async () => {
    await start(dagOf('answers', { a: { retries: 3 } }));
    const worker = await engine.worker();
    const [dispatch] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    const other = { dispatchId: dispatch!.dispatchId.replace(/[^.]+$/, '00000000-0000-0000-0000-000000000000') };
    const nobody = { dispatchId: `1.${dispatch!.dispatchId.split('.').slice(1).join('.')}` };
    const twice = await engine.report({
      workerId: worker,
      reports: [
        reportOf(other),
        reportOf(dispatch!),
        reportOf(dispatch!),
        reportOf(nobody),
        reportOf({ dispatchId: 'nonsense' }),
      ],
    });
    expect(twice.answers).toEqual(['FENCED', 'ACCEPTED', 'DUPLICATE', 'UNKNOWN', 'UNKNOWN']);
    const again = await engine.report({ workerId: worker, reports: [reportOf(dispatch!, 'failed')] });
    expect(again.answers).toEqual(['FENCED']);
  });

  it('takes a released dispatch back without counting a try', async () => {
    await start(dagOf('released', { a: [] }));
    const worker = await engine.worker();
    const [dispatch] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    expect((await engine.report({ workerId: worker, reports: [reportOf(dispatch!, 'released')] })).answers).toEqual([
      'ACCEPTED',
    ]);
    const [again] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    expect(again!.tryNumber).toBe(1);
    expect(again!.dispatchId).not.toBe(dispatch!.dispatchId);
    expect((await engine.report({ workerId: worker, reports: [reportOf(dispatch!)] })).answers).toEqual(['FENCED']);
    expect((await engine.report({ workerId: worker, reports: [reportOf(again!)] })).answers).toEqual(['ACCEPTED']);
  });

  it('hands results to the tasks that take them', async () => {
    await start(
      dagOf('results', { a: [], b: { upstream: ['a'], inputs: { rows: { task: 'a', key: 'return_value' } } } }),
    );
    const worker = await engine.worker();
    const [a] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    const report = reportOf(a!, 'success', { xcoms: { return_value: { n: 3, odd: 'nul\u0000here' } } });
    const { dispatches } = await engine.report({
      workerId: worker,
      reports: [report],
      claim: { queues: ['default'], limit: 1 },
    });
    expect(dispatches[0]!.xcoms).toEqual([
      { taskId: 'a', mapIndex: -1, key: 'return_value', value: { n: 3, odd: 'nul\ufffdhere' } },
    ]);
    await work(engine, worker);
    await engine.report({ workerId: worker, reports: [reportOf(dispatches[0]!)] });
  });
});

describe('what the database refuses', () => {
  it('fails for whoever asked, with the reason, and nothing else', async () => {
    const { dagId } = await engine.deploy(dagOf('refused', { a: [] }));
    const create = (idempotencyKey: string) => engine.createRuns([{ dagId, kind: 'manual', idempotencyKey }]);
    await expect(create('a\0')).rejects.toThrow(/invalid byte sequence/);
    expect(await create('a')).toMatchObject([{ created: true }]);
    expect(await work(engine, await engine.worker())).toEqual(['a#1']);
  });
});

describe('results by name', () => {
  it('reach a task that pulls them in a template, from any task of the run', async () => {
    await start(
      dagOf('pulls', {
        far: [],
        near: ['far'],
        z: { upstream: ['near'], command: `echo {{ ti.xcom_pull(task_ids="far", key="k") }}` },
      }),
    );
    const worker = await engine.worker();
    const seen: string[] = [];
    await work(engine, worker, (dispatch) => {
      if (dispatch.taskId === 'z')
        seen.push(...dispatch.xcoms.map((xcom) => `${xcom.taskId}.${xcom.key}=${String(xcom.value)}`));
      return { outcome: 'success', xcoms: { k: dispatch.taskId } };
    });
    expect(seen).toEqual(['far.k=far', 'near.k=near']);
  });
});

describe('a person’s hand', () => {
  it('clears a failed task and what it held up; the run goes on', async () => {
    const runId = await start(dagOf('clear', { a: [], b: ['a'], c: ['b'] }));
    const worker = await engine.worker();
    await work(engine, worker, (dispatch) => (dispatch.taskId === 'b' ? 'failed' : 'success'));
    expect(await runStateOf(database, runId)).toBe('failed');
    const request = { runId, action: 'clear' as const, taskIds: ['b'], downstream: true, actor: 'test' };
    expect(await engine.editTasks({ ...request, dryRun: true })).toHaveLength(2);
    expect(await runStateOf(database, runId)).toBe('failed');
    await engine.editTasks(request);
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued', c: 'none' });
    expect(await work(engine, worker)).toEqual(['b#2', 'c#1']);
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('cancels a run: nothing of it is accepted any more', async () => {
    const runId = await start(dagOf('cancel', { a: [], b: ['a'] }));
    const worker = await engine.worker();
    const [dispatch] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    expect(await engine.cancelRun(runId, 'test')).toBe('cancelled');
    expect(await statesOf(database, runId)).toEqual({ a: 'cancelled', b: 'cancelled' });
    expect((await engine.report({ workerId: worker, reports: [reportOf(dispatch!)] })).answers).toEqual(['FENCED']);
    expect(await engine.heartbeat({ workerId: worker, dispatchIds: [dispatch!.dispatchId] })).toEqual({
      fenced: [dispatch!.dispatchId],
    });
    expect(await engine.cancelRun(runId, 'test')).toBe('finished');
  });

  it('marks a task, and its downstreams follow', async () => {
    const runId = await start(dagOf('mark', { a: [], b: ['a'] }));
    await engine.editTasks({ runId, action: 'success', taskIds: ['a'], actor: 'test' });
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued' });
    expect(await work(engine, await engine.worker())).toEqual(['b#1']);
    expect(await runStateOf(database, runId)).toBe('success');
  });
});

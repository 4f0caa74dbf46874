/** What people do to runs: clear, mark, over many runs at once. */
import { describe, expect, it } from 'vitest';
import {
  cancelBulkJob,
  createBulkJob,
  findBulkJobs,
  listJobItems,
  readJobProgress,
  selectRuns,
  type BulkAction,
  type BulkSpec,
} from '../../db/queries/bulk-job.ts';
import { findNotes, runNoteKey, setNote } from '../../db/queries/note.ts';
import { runBulkJobs } from '../../server/scheduler/run-bulk-jobs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { reportOf } from '../helpers/engine.ts';
import { createSemantics } from '../helpers/semantics.ts';

const database = await createTestDatabase();
const { db } = database;
const { deploy, start, work, engine, workerId, given } = await createSemantics(database);

const chain = { a: [], b: ['a'], c: ['b'] };
const everything: BulkSpec = {
  taskIds: null,
  mapIndexes: null,
  upstream: false,
  downstream: false,
  onlyFailed: false,
  state: null,
};

async function job(action: BulkAction, runIds: number[], spec: Partial<BulkSpec> = {}): Promise<number> {
  const { id } = await createBulkJob(db, { action, spec: { ...everything, ...spec }, runIds, actor: 'ann' });
  while (await runBulkJobs(db, engine));
  return id;
}
const progressOf = async (id: number) => (await readJobProgress(db, [id])).get(id);
const refusals = async (id: number) =>
  (await listJobItems(db, id, true, { limit: 100, inverted: false })).map(({ message }) => message);

describe('clearing', () => {
  it('a task runs it again alone', async () => {
    const runId = await start(await deploy(chain));
    await work(runId);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['b'], actor: 'ann' });
    expect(await work(runId)).toEqual({ run: 'success', a: 'success', b: 'success', c: 'success' });
    expect(['a', 'b', 'c'].map((task) => given(task).tryNumber)).toEqual([1, 2, 1]);
  });

  it('a task and what follows runs all of it again', async () => {
    const runId = await start(await deploy(chain));
    await work(runId);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['b'], downstream: true, actor: 'ann' });
    await work(runId);
    expect(['a', 'b', 'c'].map((task) => given(task).tryNumber)).toEqual([1, 2, 2]);
  });

  it('a task and what it depends on runs that again too', async () => {
    const runId = await start(await deploy(chain));
    await work(runId);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['b'], upstream: true, actor: 'ann' });
    await work(runId);
    expect(['a', 'b', 'c'].map((task) => given(task).tryNumber)).toEqual([2, 2, 1]);
  });

  it('only what failed is retrying a run from where it broke', async () => {
    const runId = await start(await deploy(chain));
    expect(await work(runId, { b: 'failed' })).toMatchObject({ run: 'failed', c: 'upstream_failed' });
    await engine.editTasks({ runId, action: 'clear', taskIds: null, onlyFailed: true, actor: 'ann' });
    expect(await work(runId)).toMatchObject({ run: 'success', c: 'success' });
    expect(given('a').tryNumber).toBe(1);
  });

  it('gives a task its retries anew', async () => {
    const runId = await start(await deploy({ a: { retries: 1 } }));
    await work(runId, { a: 'failed' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['a'], actor: 'ann' });
    expect(await work(runId, { a: ['failed', 'failed', 'failed', 'success'] })).toMatchObject({ a: 'success' });
    expect(given('a').tryNumber).toBe(4);
  });

  it('a dry run says which, and changes nothing', async () => {
    const runId = await start(await deploy(chain));
    await work(runId);
    const edit = { runId, action: 'clear' as const, taskIds: ['b'], downstream: true, dryRun: true, actor: 'ann' };
    expect(await engine.editTasks(edit)).toEqual([
      { runId, taskIndex: 1, mapIndex: -1 },
      { runId, taskIndex: 2, mapIndex: -1 },
    ]);
    expect(await work(runId)).toMatchObject({ run: 'success' });
  });
});

describe('marking', () => {
  it('a failed task as succeeded lets what follows go on', async () => {
    const runId = await start(await deploy(chain));
    await work(runId, { b: 'failed' });
    await engine.editTasks({ runId, action: 'success', taskIds: ['b'], actor: 'ann' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['c'], actor: 'ann' });
    expect(await work(runId)).toMatchObject({ run: 'success', b: 'success', c: 'success' });
  });

  it('a task as failed fails what depends on it', async () => {
    const runId = await start(await deploy(chain));
    await engine.editTasks({ runId, action: 'failed', taskIds: ['a'], actor: 'ann' });
    expect(await work(runId)).toEqual({ run: 'failed', a: 'failed', b: 'upstream_failed', c: 'upstream_failed' });
  });

  it('a task as skipped skips what depends on it', async () => {
    const runId = await start(await deploy(chain));
    await engine.editTasks({ runId, action: 'skipped', taskIds: ['a'], actor: 'ann' });
    expect(await work(runId)).toEqual({ run: 'success', a: 'skipped', b: 'skipped', c: 'skipped' });
  });
});

describe('a bulk job', () => {
  const failing = async (runs: number) => {
    const dag = await deploy(chain);
    const runIds = [];
    for (let i = 0; i < runs; i++) {
      const runId = await start(dag);
      await work(runId, { b: 'failed' });
      runIds.push(runId);
    }
    return { dag, runIds };
  };

  it('clears what failed in each of its runs', async () => {
    const { runIds } = await failing(3);
    const id = await job('clear', runIds, { onlyFailed: true });
    for (const runId of runIds) expect(await work(runId)).toMatchObject({ run: 'success' });
    expect(await progressOf(id)).toEqual({ done: 3, refused: 0, cancelled: 0 });
    expect((await findBulkJobs(db, [id]))[0]).toMatchObject({ state: 'completed', total: 3 });
  });

  it('marks a task in each of its runs', async () => {
    const { runIds } = await failing(2);
    await job('mark', runIds, { taskIds: ['b', 'c'], state: 'success' });
    for (const runId of runIds) expect(await work(runId)).toMatchObject({ run: 'success', b: 'success', c: 'success' });
  });

  it('cancels runs, and says which had ended already', async () => {
    const { dag, runIds } = await failing(1);
    const live = await start(dag);
    const id = await job('cancel', [...runIds, live]);
    expect(await progressOf(id)).toEqual({ done: 1, refused: 1, cancelled: 0 });
    expect(await refusals(id)).toEqual(['The run has ended already.']);
    expect(await work(live)).toMatchObject({ run: 'cancelled' });
  });

  it('that cancels leaves teardowns to run, also when it does a run twice', async () => {
    const dag = await deploy({
      up: { setup: true },
      down: { upstream: ['up', 'late'], teardown: { setups: ['up'], failsRun: false } },
      late: ['up'],
    });
    const runId = await start(dag);
    const [up] = await engine.claim({ workerId, queues: ['default'], limit: 1 });
    await engine.report({ workerId, reports: [reportOf(up!)] });
    const id = await job('cancel', [runId]);
    expect(await progressOf(id)).toMatchObject({ done: 1 });
    expect(await progressOf(await job('cancel', [runId]))).toMatchObject({ done: 1 });
    expect(await work(runId)).toEqual({ run: 'cancelled', up: 'success', down: 'success', late: 'cancelled' });
  });

  it('refuses a run whose version has no such task, and does the others', async () => {
    const { runIds } = await failing(1);
    const other = await start(await deploy({ x: [] }));
    await work(other);
    const id = await job('clear', [...runIds, other], { taskIds: ['x'] });
    expect(await refusals(id)).toEqual(['The version of this run has no such task.']);
    expect(await progressOf(id)).toMatchObject({ done: 1, refused: 1 });
    await work(other);
  });

  it('stops when it is cancelled', async () => {
    const { runIds } = await failing(1);
    const { id } = await createBulkJob(db, { action: 'clear', spec: everything, runIds, actor: 'ann' });
    expect(await cancelBulkJob(db, id, 'ann')).toBe(true);
    expect(await cancelBulkJob(db, id, 'ann')).toBe(false);
    while (await runBulkJobs(db, engine));
    expect(await progressOf(id)).toEqual({ done: 0, refused: 0, cancelled: 1 });
    expect(await work(runIds[0]!)).toMatchObject({ run: 'failed' });
  });

  it('is shared by two schedulers without doing a run twice', async () => {
    const { runIds } = await failing(3);
    const { id } = await createBulkJob(db, { action: 'clear', spec: everything, runIds, actor: 'ann' });
    await Promise.all([runBulkJobs(db, engine), runBulkJobs(db, engine)]);
    expect(await progressOf(id)).toEqual({ done: 3, refused: 0, cancelled: 0 });
    for (const runId of runIds) await work(runId);
    expect(given('a').tryNumber).toBe(2);
  });

  it('finds its runs by DAG, state and date', async () => {
    const { dag, runIds } = await failing(2);
    const none = { runIds: null, dagId: dag.dagId, states: null, kinds: null, from: null, to: null };
    expect(await selectRuns(db, { ...none, states: ['failed'] }, 10)).toEqual(runIds.toReversed());
    expect(await selectRuns(db, { ...none, states: ['success'] }, 10)).toEqual([]);
    expect(await selectRuns(db, { ...none, from: new Date() }, 10)).toEqual([]);
    expect(await selectRuns(db, none, 1)).toHaveLength(2);
  });
});

describe('a note', () => {
  it('stands beside a run or a task instance, and is taken away by an empty text', async () => {
    const runId = await start(await deploy(chain));
    const task = { runId, taskIndex: 1, mapIndex: -1 };
    await setNote(db, runNoteKey(runId), 'Looks odd', 'ann');
    await setNote(db, task, 'Ask the vendor', 'bob');
    await setNote(db, task, 'Asked the vendor', 'ann');
    expect(await findNotes(db, [task, runNoteKey(runId), { ...task, taskIndex: 0 }])).toMatchObject([
      { text: 'Asked the vendor', updated_by: 'ann' },
      { text: 'Looks odd', updated_by: 'ann' },
      null,
    ]);
    await setNote(db, task, '', 'ann');
    expect(await findNotes(db, [task])).toEqual([null]);
    await work(runId);
  });
});

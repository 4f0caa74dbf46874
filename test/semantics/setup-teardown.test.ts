/** What is made ready before work and cleaned up after it. Semantics: Airflow's setup and teardown tasks. */
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../helpers/database.ts';
import { reportOf } from '../helpers/engine.ts';
import { createSemantics } from '../helpers/semantics.ts';

const { run, deploy, start, work, engine, workerId, given } = await createSemantics(await createTestDatabase());

const teardown = { setups: ['up'], failsRun: false };
const tasks = {
  up: { setup: true },
  work: ['up'],
  down: { upstream: ['work', 'up'], teardown },
};

describe('a teardown', () => {
  it('runs after the work', async () => {
    expect(await run(tasks)).toEqual({ run: 'success', up: 'success', work: 'success', down: 'success' });
  });

  it('runs though the work failed, and the run fails', async () => {
    expect(await run(tasks, { work: 'failed' })).toEqual({
      run: 'failed',
      up: 'success',
      work: 'failed',
      down: 'success',
    });
  });

  it('runs though the work was skipped', async () => {
    expect(await run(tasks, { work: 'skipped' })).toMatchObject({ run: 'success', down: 'success' });
  });

  it('does not run when its setup failed', async () => {
    expect(await run(tasks, { up: 'failed' })).toEqual({
      run: 'failed',
      up: 'failed',
      work: 'upstream_failed',
      down: 'upstream_failed',
    });
  });

  it('is skipped when its setup was', async () => {
    expect(await run(tasks, { up: 'skipped' })).toMatchObject({ run: 'success', work: 'skipped', down: 'skipped' });
  });

  it('does not fail the run when it fails', async () => {
    expect(await run(tasks, { down: 'failed' })).toMatchObject({ run: 'success', down: 'failed' });
  });

  it('fails the run when it is told to', async () => {
    const strict = { ...tasks, down: { upstream: ['work', 'up'], teardown: { ...teardown, failsRun: true } } };
    expect(await run(strict, { down: 'failed' })).toMatchObject({ run: 'failed', down: 'failed' });
  });

  it('of two setups runs when one of them succeeded', async () => {
    const two = {
      one: { setup: true },
      two: { setup: true },
      work: ['one', 'two'],
      down: { upstream: ['work', 'one', 'two'], teardown: { setups: ['one', 'two'], failsRun: false } },
    };
    expect(await run(two, { two: 'failed' })).toMatchObject({ work: 'upstream_failed', down: 'success' });
  });

  it('waits for all of its work', async () => {
    const wide = { ...tasks, more: ['up'], down: { upstream: ['work', 'more', 'up'], teardown } };
    const states = await run(wide, { more: 'failed' });
    expect(states).toMatchObject({ run: 'failed', work: 'success', more: 'failed', down: 'success' });
  });
});

describe('a setup', () => {
  it('that failed stops all between it and its teardown, whatever their rules', async () => {
    const deep = {
      up: { setup: true },
      first: ['up'],
      second: { upstream: ['first'], triggerRule: 'all_done' },
      down: { upstream: ['second', 'up'], teardown },
    };
    expect(await run(deep, { up: 'failed' })).toMatchObject({ first: 'upstream_failed', second: 'upstream_failed' });
  });

  it('does not concern what comes after its teardown', async () => {
    const after = { ...tasks, report: { upstream: ['work'], triggerRule: 'all_done' } };
    expect(await run(after, { up: 'failed' })).toMatchObject({ work: 'upstream_failed', report: 'success' });
  });

  it('is cleared with the work that needs it, and so is its teardown', async () => {
    const dag = await deploy(tasks);
    const runId = await start(dag);
    await work(runId, { work: 'failed' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['work'], actor: 'ann' });
    expect(await work(runId)).toEqual({ run: 'success', up: 'success', work: 'success', down: 'success' });
    expect(['up', 'work', 'down'].map((task) => given(task).tryNumber)).toEqual([2, 2, 2]);
  });
});

describe('a run that is ended early', () => {
  async function midWork() {
    const runId = await start(await deploy({ ...tasks, later: ['work'] }));
    const claim = () => engine.claim({ workerId, queues: ['default'], limit: 10 });
    const [up] = await claim();
    await engine.report({ workerId, reports: [reportOf(up!)] });
    await claim();
    return runId;
  }

  it('still cleans up what was set up, then it is what it was ended as', async () => {
    const runId = await midWork();
    await engine.cancelRun(runId, 'ann');
    expect(await work(runId)).toEqual({
      run: 'cancelled',
      up: 'success',
      work: 'cancelled',
      down: 'success',
      later: 'cancelled',
    });
  });

  it('does not clean up any more when it is cancelled once more', async () => {
    const runId = await midWork();
    await engine.cancelRun(runId, 'ann');
    await engine.cancelRun(runId, 'ann');
    expect(await work(runId)).toMatchObject({ run: 'cancelled', down: 'cancelled' });
  });

  it('by its time limit fails, skips the rest and cleans up', async () => {
    const runId = await midWork();
    const how = {
      as: 'failed',
      rest: 'skipped',
      cause: 'run_timeout',
      actor: 'scheduler',
      reason: 'Too long.',
    } as const;
    await engine.endRun({ runId, ...how });
    await engine.endRun({ runId, ...how });
    expect(await work(runId)).toMatchObject({ run: 'failed', work: 'skipped', down: 'success', later: 'skipped' });
  });

  it('ends at once when its teardown is an empty task', async () => {
    const empty = {
      up: { setup: true, kind: 'empty' },
      work: ['up'],
      down: { upstream: ['work', 'up'], teardown, kind: 'empty' },
    };
    const runId = await start(await deploy(empty));
    await engine.cancelRun(runId, 'ann');
    expect(await work(runId)).toEqual({ run: 'cancelled', up: 'success', work: 'cancelled', down: 'cancelled' });
  });

  it('has nothing to clean up when its setup has not succeeded', async () => {
    const runId = await start(await deploy(tasks));
    await engine.claim({ workerId, queues: ['default'], limit: 10 });
    await engine.cancelRun(runId, 'ann');
    expect(await work(runId)).toMatchObject({ run: 'cancelled', up: 'cancelled', down: 'cancelled' });
  });
});

/** A task that chooses its way. Semantics: Airflow's branch and short-circuit operators. */
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../helpers/database.ts';
import { createSemantics } from '../helpers/semantics.ts';

const { run, deploy, start, work, engine } = await createSemantics(await createTestDatabase());

describe('a branch', () => {
  const tasks = { pick: [], left: ['pick'], right: ['pick'] };

  it('lets the chosen go on and skips the others', async () => {
    expect(await run(tasks, { pick: { branch: ['left'] } })).toEqual({
      run: 'success',
      pick: 'success',
      left: 'success',
      right: 'skipped',
    });
  });

  it('may choose several', async () => {
    expect(await run({ ...tasks, third: ['pick'] }, { pick: { branch: ['left', 'third'] } })).toMatchObject({
      left: 'success',
      right: 'skipped',
      third: 'success',
    });
  });

  it('skips all when it chooses none', async () => {
    expect(await run(tasks, { pick: { branch: [] } })).toMatchObject({
      left: 'skipped',
      right: 'skipped',
      run: 'success',
    });
  });

  it('skips what follows what it left aside', async () => {
    expect(await run({ ...tasks, far: ['right'] }, { pick: { branch: ['left'] } })).toMatchObject({ far: 'skipped' });
  });

  it('keeps a join that also follows what it chose', async () => {
    const join = { upstream: ['left', 'right'], triggerRule: 'none_failed_min_one_success' };
    expect(await run({ ...tasks, join }, { pick: { branch: ['left'] } })).toMatchObject({ join: 'success' });
  });

  it('keeps a direct downstream that also follows what it chose', async () => {
    const join = { upstream: ['pick', 'left'], triggerRule: 'none_failed_min_one_success' };
    expect(await run({ pick: [], left: ['pick'], join }, { pick: { branch: ['left'] } })).toMatchObject({
      join: 'success',
    });
  });

  it('skips a join with all_success of which one way was left aside', async () => {
    expect(await run({ ...tasks, join: ['left', 'right'] }, { pick: { branch: ['left'] } })).toMatchObject({
      join: 'skipped',
    });
  });

  it('skips what it left aside whatever its rule', async () => {
    const done = { upstream: ['pick'], triggerRule: 'all_done' };
    expect(await run({ pick: [], left: ['pick'], done }, { pick: { branch: ['left'] } })).toMatchObject({
      done: 'skipped',
    });
  });

  it('chooses nothing when it fails: its downstreams fail by their rules', async () => {
    expect(await run(tasks, { pick: 'failed' })).toMatchObject({ left: 'upstream_failed', right: 'upstream_failed' });
  });

  it('skips a mapped task that it left aside before it has instances', async () => {
    const each = {
      upstream: ['pick'],
      map: { over: { kind: 'product', axes: { x: { kind: 'literal', items: [1, 2] } } } },
    };
    expect(await run({ pick: [], left: ['pick'], each }, { pick: { branch: ['left'] } })).toEqual({
      run: 'success',
      pick: 'success',
      left: 'success',
      each: 'skipped',
    });
  });

  it('chooses for its own copy of a mapped group', async () => {
    const map = { over: { kind: 'product', axes: { x: { kind: 'literal', items: ['l', 'r'] } } } };
    const states = await run(
      {
        'g.pick': { group: 'g' },
        'g.left': { group: 'g', upstream: ['g.pick'] },
        'g.right': { group: 'g', upstream: ['g.pick'] },
      },
      { 'g.pick': ({ mapItem }) => ({ branch: [mapItem?.['x'] === 'l' ? 'g.left' : 'g.right'] }) },
      { groups: [{ groupId: 'g', map }] },
    );
    expect(states).toMatchObject({
      'g.left[0]': 'success',
      'g.right[0]': 'skipped',
      'g.left[1]': 'skipped',
      'g.right[1]': 'success',
    });
  });

  it('still stands when what it left aside is cleared', async () => {
    const dag = await deploy(tasks);
    const runId = await start(dag);
    await work(runId, { pick: { branch: ['left'] } });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['right'], actor: 'ann' });
    expect(await work(runId)).toMatchObject({ run: 'success', right: 'skipped' });
  });

  it('chooses anew when it is cleared', async () => {
    const dag = await deploy(tasks);
    const runId = await start(dag);
    await work(runId, { pick: { branch: ['left'] } });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['pick'], downstream: true, actor: 'ann' });
    expect(await work(runId, { pick: { branch: ['right'] } })).toMatchObject({ left: 'skipped', right: 'success' });
  });
});

describe('a short circuit', () => {
  const tasks = { ask: [], next: ['ask'], done: { upstream: ['next'], triggerRule: 'all_done' } };

  it('lets all go on when its condition holds', async () => {
    expect(await run(tasks)).toMatchObject({ next: 'success', done: 'success' });
  });

  it('skips everything below it, whatever the rules', async () => {
    expect(await run(tasks, { ask: { branch: [], skipAll: true } })).toEqual({
      run: 'success',
      ask: 'success',
      next: 'skipped',
      done: 'skipped',
    });
  });

  it('skips its direct downstream only when rules are to decide', async () => {
    expect(await run(tasks, { ask: { branch: [] } })).toMatchObject({ next: 'skipped', done: 'success' });
  });

  it('skips also what another way leads to', async () => {
    const both = { upstream: ['next', 'other'], triggerRule: 'one_success' };
    const states = await run(
      { ...tasks, other: ['gate'], gate: ['ask'], both },
      { ask: { branch: [], skipAll: true } },
    );
    expect(states).toMatchObject({ other: 'skipped', both: 'skipped' });
  });
});

/** A task that runs once per item. Semantics: Airflow's dynamic task mapping. */
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../helpers/database.ts';
import { createSemantics } from '../helpers/semantics.ts';

const { run, deploy, start, work, given, engine } = await createSemantics(await createTestDatabase());

const over = (axes: { [argument: string]: unknown }) => ({ map: { over: { kind: 'product', axes } } });
const rows = (from: unknown) => ({ map: { over: { kind: 'rows', from } } });
const items = (...list: unknown[]) => ({ kind: 'literal', items: list });
const result = (task: string, key = 'return_value') => ({ kind: 'result', task, key });

describe('a mapped task', () => {
  it('runs once per item of a literal list', async () => {
    expect(await run({ each: over({ x: items('a', 'b', 'c') }) })).toEqual({
      run: 'success',
      'each[0]': 'success',
      'each[1]': 'success',
      'each[2]': 'success',
    });
    expect(given('each[1]').mapItem).toEqual({ x: 'b' });
  });

  it('runs once per item of an upstream’s result', async () => {
    expect(await run({ list: [], each: over({ x: result('list') }) }, { list: { result: [10, 20] } })).toEqual({
      run: 'success',
      list: 'success',
      'each[0]': 'success',
      'each[1]': 'success',
    });
    expect(given('each[1]').mapItem).toEqual({ x: 20 });
  });

  it('runs over the pairs of an object', async () => {
    await run({ list: [], each: over({ x: result('list') }) }, { list: { result: { a: 1, b: 2 } } });
    expect(given('each[1]').mapItem).toEqual({ x: ['b', 2] });
  });

  it('of several axes runs over their product, the last one fastest', async () => {
    const states = await run({ each: over({ x: items(1, 2), y: items('a', 'b', 'c') }) });
    expect(Object.keys(states)).toHaveLength(1 + 6);
    expect([0, 1, 3].map((i) => given(`each[${i}]`).mapItem)).toEqual([
      { x: 1, y: 'a' },
      { x: 1, y: 'b' },
      { x: 2, y: 'a' },
    ]);
  });

  it('takes all of its arguments from the rows of one list', async () => {
    await run({ list: [], each: rows(result('list')) }, { list: { result: [{ x: 1, y: 2 }, { x: 3 }] } });
    expect([0, 1].map((i) => given(`each[${i}]`).mapItem)).toEqual([{ x: 1, y: 2 }, { x: 3 }]);
  });

  it('runs over lists that are zipped, to the end of the shortest', async () => {
    await run({ each: over({ x: { kind: 'zip', sources: [items(1, 2, 3), items('a', 'b')] } }) });
    expect(given('each[1]').mapItem).toEqual({ x: [2, 'b'] });
  });

  it('runs over zipped lists to the end of the longest when there is something to fill up with', async () => {
    await run({ each: over({ x: { kind: 'zip', sources: [items(1, 2), items('a')], fill: '-' } }) });
    expect(given('each[1]').mapItem).toEqual({ x: [2, '-'] });
  });

  it('runs over lists one after the other', async () => {
    await run({ each: over({ x: { kind: 'concat', sources: [items(1), items(2, 3)] } }) });
    expect(given('each[2]').mapItem).toEqual({ x: 3 });
  });

  it('is skipped when there is nothing to run over, and so is what needs it', async () => {
    expect(
      await run({ list: [], each: over({ x: result('list') }), after: ['each'] }, { list: { result: [] } }),
    ).toEqual({ run: 'success', list: 'success', each: 'skipped', after: 'skipped' });
  });

  it('is skipped when its source has no result', async () => {
    expect(await run({ list: [], each: over({ x: result('list') }) })).toEqual({
      run: 'success',
      list: 'success',
      each: 'skipped',
    });
  });

  it('fails when its source is no list', async () => {
    expect(await run({ list: [], each: over({ x: result('list') }) }, { list: { result: 7 } })).toEqual({
      run: 'failed',
      list: 'success',
      each: 'failed',
    });
  });

  it('fails when there is more to run over than its limit', async () => {
    const each = { map: { over: { kind: 'product', axes: { x: result('list') } }, limit: 2 } };
    expect(await run({ list: [], each }, { list: { result: [1, 2, 3] } })).toMatchObject({ each: 'failed' });
  });

  it('never starts when its source failed', async () => {
    expect(await run({ list: [], each: over({ x: result('list') }), after: ['each'] }, { list: 'failed' })).toEqual({
      run: 'failed',
      list: 'failed',
      each: 'upstream_failed',
      after: 'upstream_failed',
    });
  });

  it('fails the run when one of its instances fails', async () => {
    expect(await run({ each: over({ x: items(1, 2) }) }, { 'each[1]': 'failed' })).toEqual({
      run: 'failed',
      'each[0]': 'success',
      'each[1]': 'failed',
    });
  });

  it('retries each instance by itself', async () => {
    const states = await run(
      { each: { ...over({ x: items(1, 2) }), retries: 1 } },
      { 'each[0]': ['failed', 'success'] },
    );
    expect(states).toEqual({ run: 'success', 'each[0]': 'success', 'each[1]': 'success' });
    expect(given('each[0]').tryNumber).toBe(2);
    expect(given('each[1]').tryNumber).toBe(1);
  });
});

describe('what comes after a mapped task', () => {
  const each = over({ x: items(1, 2, 3) });

  it('waits for all of its instances and reads their results in the order of the items', async () => {
    const reduce = { inputs: { all: 'each' } };
    const states = await run({ each, reduce }, { each: ({ mapItem }) => ({ result: Number(mapItem?.['x']) * 10 }) });
    expect(states).toMatchObject({ reduce: 'success' });
    expect(given('reduce').xcoms.map(({ mapIndex, value }) => [mapIndex, value])).toEqual([
      [0, 10],
      [1, 20],
      [2, 30],
    ]);
  });

  it('counts each instance by itself: one that failed is an upstream that failed', async () => {
    expect(await run({ each, after: ['each'] }, { 'each[1]': 'failed' })).toMatchObject({ after: 'upstream_failed' });
  });

  it('with one_failed starts at the first instance that fails', async () => {
    expect(
      await run({ each, alarm: { upstream: ['each'], triggerRule: 'one_failed' } }, { 'each[2]': 'failed' }),
    ).toEqual({
      run: 'success',
      'each[0]': 'success',
      'each[1]': 'success',
      'each[2]': 'failed',
      alarm: 'success',
    });
  });

  it('with all_success is skipped when an instance was', async () => {
    expect(await run({ each, after: ['each'] }, { 'each[0]': 'skipped' })).toMatchObject({ after: 'skipped' });
  });

  it('with none_failed runs though instances were skipped', async () => {
    const after = { upstream: ['each'], triggerRule: 'none_failed' };
    expect(await run({ each, after }, { 'each[0]': 'skipped' })).toMatchObject({ after: 'success' });
  });

  it('is mapped in turn over what the instances made, without those that made nothing', async () => {
    const again = over({ y: result('each') });
    const states = await run(
      { each, again },
      { each: ({ mapIndex }) => (mapIndex === 1 ? { result: null } : { result: mapIndex }) },
    );
    expect(Object.keys(states).filter((name) => name.startsWith('again'))).toEqual(['again[0]', 'again[1]']);
    expect(given('again[1]').mapItem).toEqual({ y: 2 });
  });
});

describe('a mapped group', () => {
  const group = (axes: { [argument: string]: unknown }) => ({ groups: [{ groupId: 'g', ...over(axes) }] });
  const tasks = {
    'g.a': { group: 'g' },
    'g.b': { group: 'g', upstream: ['g.a'], inputs: { made: 'g.a' } },
    end: { upstream: ['g.b'], inputs: { all: 'g.b' } },
  };

  it('runs all of its tasks once per item, each copy by itself', async () => {
    const states = await run(tasks, { 'g.a[0]': 'failed' }, group({ x: items(1, 2) }));
    expect(states).toEqual({
      run: 'failed',
      'g.__map__': 'success',
      'g.a[0]': 'failed',
      'g.a[1]': 'success',
      'g.b[0]': 'upstream_failed',
      'g.b[1]': 'success',
      end: 'upstream_failed',
    });
  });

  it('gives each of its tasks the arguments of the copy, and the results of that copy alone', async () => {
    const script = { 'g.a': ({ mapItem }: { mapItem: unknown }) => ({ result: mapItem as never }) };
    await run(tasks, script, group({ x: items('p', 'q') }));
    expect(given('g.b[1]').mapItem).toEqual({ x: 'q' });
    expect(given('g.b[1]').xcoms).toEqual([{ taskId: 'g.a', mapIndex: -1, key: 'return_value', value: { x: 'q' } }]);
  });

  it('is skipped as a whole when there is nothing to run over', async () => {
    const states = await run({ list: [], ...tasks }, { list: { result: [] } }, group({ x: result('list') }));
    expect(states).toMatchObject({ 'g.__map__': 'skipped', 'g.a': 'skipped', 'g.b': 'skipped', end: 'skipped' });
  });

  it('never runs when its source failed, whatever the rules of its tasks', async () => {
    const always = { ...tasks, 'g.b': { group: 'g', upstream: ['g.a'], triggerRule: 'all_done' } };
    const states = await run({ list: [], ...always }, { list: 'failed' }, group({ x: result('list') }));
    expect(states).toMatchObject({ 'g.a': 'upstream_failed', 'g.b': 'upstream_failed', end: 'upstream_failed' });
  });

  it('counts a task outside of it into each of its copies', async () => {
    const states = await run(
      { slow: [], ...tasks, 'g.b': { group: 'g', upstream: ['g.a', 'slow'] } },
      { slow: 'failed' },
      group({ x: items(1, 2) }),
    );
    expect(states).toMatchObject({ 'g.b[0]': 'upstream_failed', 'g.b[1]': 'upstream_failed', end: 'upstream_failed' });
  });

  it('starts a task of a copy at once when its rule is one_success and a task outside has succeeded', async () => {
    const either = { group: 'g', upstream: ['g.a', 'before'], triggerRule: 'one_success' };
    const states = await run(
      { before: [], 'g.a': { group: 'g' }, 'g.b': either },
      { 'g.a': 'failed' },
      { groups: [{ groupId: 'g', upstream: ['before'], ...over({ x: items(1, 2) }) }] },
    );
    expect(states).toMatchObject({ 'g.b[0]': 'success', 'g.b[1]': 'success' });
  });
});

describe('clearing', () => {
  it('one instance runs it again, and what waits for it', async () => {
    const dag = await deploy({ each: over({ x: items(1, 2) }), after: ['each'] });
    const runId = await start(dag);
    expect(await work(runId, { 'each[1]': 'failed' })).toMatchObject({ run: 'failed', after: 'upstream_failed' });
    await engine.editTasks({
      runId,
      action: 'clear',
      taskIds: ['each'],
      mapIndexes: [1],
      downstream: true,
      actor: 'ann',
    });
    expect(await work(runId)).toEqual({ run: 'success', 'each[0]': 'success', 'each[1]': 'success', after: 'success' });
    expect(given('each[1]').tryNumber).toBe(2);
    expect(given('each[0]').tryNumber).toBe(1);
  });

  it('the source makes the instances anew', async () => {
    const dag = await deploy({ list: [], each: over({ x: result('list') }), after: ['each'] });
    const runId = await start(dag);
    await work(runId, { list: { result: [1, 2, 3] } });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['list'], downstream: true, actor: 'ann' });
    expect(await work(runId, { list: { result: [7] } })).toEqual({
      run: 'success',
      list: 'success',
      'each[0]': 'success',
      after: 'success',
    });
    expect(given('each[0]').mapItem).toEqual({ x: 7 });
    expect(given('each[0]').tryNumber).toBe(2);
  });

  it('a whole mapped task runs over its items again', async () => {
    const dag = await deploy({ each: over({ x: items(1, 2) }) });
    const runId = await start(dag);
    await work(runId);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['each'], actor: 'ann' });
    expect(await work(runId)).toEqual({ run: 'success', 'each[0]': 'success', 'each[1]': 'success' });
    expect(given('each[1]').tryNumber).toBe(2);
  });

  it('a map that had nothing to run over tries again', async () => {
    const dag = await deploy({ list: [], each: over({ x: result('list') }) });
    const runId = await start(dag);
    expect(await work(runId, { list: { result: [] } })).toMatchObject({ each: 'skipped' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['list'], downstream: true, actor: 'ann' });
    expect(await work(runId, { list: { result: [1] } })).toMatchObject({ 'each[0]': 'success' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['list'], downstream: true, actor: 'ann' });
    expect(await work(runId, { list: { result: [] } })).toMatchObject({ run: 'success', each: 'skipped' });
  });

  it('a copy of a mapped group runs that copy again', async () => {
    const dag = await deploy(
      { 'g.a': { group: 'g' }, 'g.b': { group: 'g', upstream: ['g.a'] }, end: ['g.b'] },
      { groups: [{ groupId: 'g', ...over({ x: items(1, 2) }) }] },
    );
    const runId = await start(dag);
    await work(runId, { 'g.a[0]': 'failed' });
    await engine.editTasks({
      runId,
      action: 'clear',
      taskIds: ['g.a'],
      mapIndexes: [0],
      downstream: true,
      actor: 'ann',
    });
    expect(await work(runId)).toMatchObject({ run: 'success', 'g.b[0]': 'success', end: 'success' });
    expect(given('g.b[1]').tryNumber).toBe(1);
  });

  it.each([false, true])(
    'a task of a group that never got its instances makes the group anew (only failed: %s)',
    async (onlyFailed) => {
      const dag = await deploy(
        { list: [], 'g.a': { group: 'g' }, 'g.b': { group: 'g', upstream: ['g.a'] }, end: ['g.b'] },
        { groups: [{ groupId: 'g', ...over({ x: result('list') }) }] },
      );
      const runId = await start(dag);
      await engine.cancelRun(runId, 'ann');
      await work(runId);
      await engine.editTasks({ runId, action: 'clear', taskIds: ['list', 'g.a'], onlyFailed, actor: 'ann' });
      expect(await work(runId, { list: { result: [1] } })).toMatchObject({ list: 'success', 'g.a[0]': 'success' });
    },
  );
});

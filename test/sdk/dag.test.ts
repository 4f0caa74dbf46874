import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { dag, failTask, skipTask } from '#sdk/index.ts';
import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import { dagsOf, failureOf, runTypeScriptTask, type TaskHost } from '#sdk/run-task.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

const noTask = undefined as never;

describe('dag()', () => {
  const etl = dag(
    'etl',
    {
      schedule: '@daily',
      start: '2026-01-01',
      end: '2026-12-31',
      retries: 2,
      retryDelay: '5m',
      owner: 'data',
      params: z.object({ n: z.number().default(3) }),
    },
    ({ task, bash, python, empty }) => {
      const a = task('a', () => 1);
      const b = task('b', { a }, { retries: 0, queue: 'big' }, ({ a }) => a + 1);
      const c = bash('c', { after: [a, b], inputs: { PATH_OF: b.xcom('path') }, command: 'true', env: { X: '1' } });
      const d = python('d', { callable: 'x.py:f', inputs: { c }, args: { k: [1] }, triggerRule: 'all_done' });
      empty('e', { after: d });
    },
  );
  test('makes a spec of the calls', () => {
    const result = validateDagSpec(etl.spec);
    if (!result.ok) throw new Error(JSON.stringify(result.issues));
    const { spec } = result;
    expect(spec).toMatchObject({
      dagId: 'etl',
      owner: 'data',
      startDate: '2026-01-01T00:00:00.000Z',
      endDate: '2026-12-31T00:00:00.000Z',
    });
    expect(spec.params).toMatchObject({ type: 'object', properties: { n: { type: 'number', default: 3 } } });
    expect(
      spec.tasks.map(({ taskId, kind, upstream, retries, retryDelay }) => [
        taskId,
        kind,
        upstream,
        retries,
        retryDelay,
      ]),
    ).toEqual([
      ['a', 'typescript', [], 2, 300],
      ['b', 'typescript', ['a'], 0, 300],
      ['c', 'bash', ['a', 'b'], 2, 300],
      ['d', 'python', ['c'], 2, 300],
      ['e', 'empty', ['d'], 2, 300],
    ]);
    expect(spec.tasks[2]?.inputs).toEqual({ PATH_OF: { task: 'b', key: 'path' } });
    expect(spec.tasks[3]).toMatchObject({
      callable: 'x.py:f',
      source: null,
      args: { k: [1] },
      triggerRule: 'all_done',
    });
  });
  test('keeps the spec as plain JSON', () => expect(JSON.parse(JSON.stringify(etl.spec))).toEqual(etl.spec));
  test.each([
    [
      'a task of the same id',
      () => dag('d', {}, ({ empty }) => void [empty('a'), empty('a')]),
      /task 'a' of DAG 'd': this id is already taken/,
    ],
    [
      'an input that is no task',
      () => dag('d', {}, ({ task }) => void task('a', { x: noTask }, () => 1)),
      /the input 'x' is undefined\. Pass what/,
    ],
    [
      'an `after` that is no task',
      () => dag('d', {}, ({ empty }) => void empty('a', { after: [noTask] })),
      /after\[0\] is undefined/,
    ],
    ['no function', () => dag('d', {}, ({ task }) => void task('a', noTask)), /the last argument must be the function/],
    [
      'params that are no schema',
      () => dag('d', { params: { a: 1 } as never }, () => undefined),
      /params must be a zod 4 object/,
    ],
  ])('refuses %s', (_what, make, message) => expect(make).toThrow(message));
  test('is found among the exports of a module, in whatever form', () => {
    const [one, two, three] = ['one', 'two', 'three'].map((id) => dag(id, {}, () => undefined));
    const found = dagsOf({ default: one, one, list: [two, three], helper: () => 1, text: 'x', nothing: null });
    expect(found.map((each) => each.spec.dagId)).toEqual(['one', 'two', 'three']);
  });
});

describe('running a task', () => {
  const pushed: { [key: string]: Json } = {};
  const host: TaskHost = {
    signal: new AbortController().signal,
    xcomPush: (key, value) => void (pushed[key] = value),
    bundleDir: '/bundle',
    env: { CITY: 'Bern' },
  };
  const params = z.object({
    since: z
      .string()
      .default('2026-01-01')
      .transform((day) => new Date(day)),
  });
  const module = {
    default: dag('d', { params }, ({ task }) => {
      const rows = task('rows', () => [{ at: new Date(0), note: undefined }]);
      const all = task('args', { rows, other: rows.xcom<number>('n') }, ({ rows, other, params, conf, ctx }) => {
        ctx.ti.xcomPush('more', { at: params.since });
        return {
          rows,
          other,
          year: params.since.getUTCFullYear(),
          conf,
          city: ctx.env['CITY'],
          file: ctx.file('a.csv'),
          run: ctx.run.runKey,
        };
      });
      task('nothing', { all }, () => undefined);
      task('skip', () => skipTask('no file'));
      task('fail', () => failTask('no such customer'));
      task('throw', () => Promise.reject(new RangeError('too far')));
      task('big', () => ({ n: 1n }));
    }),
  };
  const run = (taskId: string, xcoms: Partial<XComValue>[] = [], runParams: object = { since: '2026-05-01' }) => {
    const task = module.default.spec.tasks.find((each) => each.taskId === taskId) ?? { inputs: {} };
    const dispatch = {
      dagId: 'd',
      taskId,
      tryNumber: 1,
      task,
      xcoms,
      run: { runKey: 'r1', params: runParams, conf: { x: 1 } },
    };
    return runTypeScriptTask(module, dispatch as unknown as Dispatch, host);
  };
  const failure = (taskId: string, runParams?: object) => run(taskId, [], runParams).then(() => null, failureOf);

  test('gives it its inputs by name, its params parsed, and its surroundings', async () => {
    const value = [{ at: '1970-01-01T00:00:00.000Z' }];
    const xcoms = [
      { taskId: 'rows', key: 'return_value', mapIndex: -1, value },
      { taskId: 'rows', key: 'n', mapIndex: -1, value: 7 },
    ];
    expect(await run('args', xcoms)).toEqual({
      rows: value,
      other: 7,
      year: 2026,
      conf: { x: 1 },
      city: 'Bern',
      file: '/bundle/a.csv',
      run: 'r1',
    });
    expect(pushed).toEqual({ more: { at: '2026-05-01T00:00:00.000Z' } });
  });
  test('gives null for what was never made, and a list for what a mapped task made', async () => {
    const xcoms = [1, 0].map((mapIndex) => ({ taskId: 'rows', key: 'n', mapIndex, value: `n${mapIndex}` }));
    expect(await run('args', xcoms)).toMatchObject({ rows: null, other: ['n0', 'n1'] });
  });
  test('takes its result through JSON', async () => {
    expect(await run('rows')).toEqual([{ at: '1970-01-01T00:00:00.000Z' }]);
    expect(await run('nothing')).toBeNull();
  });
  test.each([
    ['skip', { outcome: 'skipped', cause: 'skipped_by_task', message: 'no file', retryable: false }],
    ['fail', { outcome: 'failed', cause: 'exception', message: 'no such customer', retryable: false }],
    ['throw', { outcome: 'failed', cause: 'exception', message: 'too far', retryable: true }],
    ['big', { outcome: 'failed', cause: 'result_invalid', retryable: false }],
    ['gone', { outcome: 'failed', message: "DAG 'd' of the bundle has no function for task 'gone'. Deploy it again." }],
    [
      'toString',
      { outcome: 'failed', message: "DAG 'd' of the bundle has no function for task 'toString'. Deploy it again." },
    ],
  ])('%s ends as it should', async (taskId, expected) => expect(await failure(taskId)).toMatchObject(expected));
  test('params that do not fit fail it for good', async () =>
    expect(await failure('args', { since: 5 })).toMatchObject({
      retryable: false,
      message: expect.stringMatching(/^The run's params do not fit the DAG\. params\.since: /) as string,
    }));
});

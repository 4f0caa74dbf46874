import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileDag, type CompiledDag } from '../../../db/engine/compiled-dag.ts';
import { edgeColumns, rowColumns } from '../../../db/queries/task-transitions/finish-parameters.ts';
import { withoutConflicts } from '../../../db/engine/flush-conflicts.ts';
import { planFinish, settledRow, type FinishRow, type Slots } from '../../../db/engine/flush-plan.ts';
import { CHILD_MODE } from '../../../db/queries/task-transitions/finish-tasks.ts';
import type { DagSpec } from '../../../sdk/dag-spec.ts';
import type { TaskState } from '../../../sdk/states.ts';
import { dagOf } from '../../helpers/engine.ts';
import { randomDag } from '../../helpers/random-dag.ts';

const compile = (spec: Omit<DagSpec, 'dagId'>) =>
  compileDag({ versionId: 1, dagId: 1, dagName: 'd', bundleHash: null, spec: { ...spec, dagId: 'd' } });

const finished = (
  dag: CompiledDag,
  runId: number,
  task: number | string,
  more: Partial<FinishRow> = {},
): FinishRow => ({
  ...settledRow(
    dag,
    { runId, taskIndex: typeof task === 'string' ? dag.indexOf.get(task)! : task, mapIndex: -1 },
    'success',
  ),
  uuid: '11111111-1111-4111-8111-111111111111',
  workerId: 1,
  ...more,
});

const numbers = (literal: unknown): number[] => String(literal).slice(1, -1).split(',').filter(Boolean).map(Number);

/** What the plan says of each row's children: `[task, mode]`. */
function children(plan: ReturnType<typeof planFinish>): [number, number][][] {
  const rows = rowColumns(plan.parts);
  const [low, high] = (['lo', 'hi'] as const).map((name) => numbers(plan.values[rows.indexOf(name)]));
  const [child, mode] = (['child', 'mode'] as const).map((name) =>
    numbers(plan.values[rows.length + edgeColumns(plan.parts).indexOf(name)]),
  );
  return low!.map((from, i) => child!.slice(from - 1, high![i]).map((task, at) => [task, mode![from - 1 + at]!]));
}

const ruleOf = (plan: ReturnType<typeof planFinish>): number[] =>
  numbers(plan.values[rowColumns(plan.parts).length + edgeColumns(plan.parts).indexOf('rule')]);

const freeSlots = (free: number, queues = ['default']) =>
  new Map<number, Slots>([[1, { queues: new Set(queues), free }]]);

describe('a flush splits off', () => {
  const chain = compile(dagOf('', { a: [], b: { upstream: ['a'], triggerRule: 'always' }, c: ['b'] }));
  const split = (...rows: FinishRow[]) => {
    const { now, later } = withoutConflicts(rows);
    return [now.map((row) => rows.indexOf(row)), later.map((row) => rows.indexOf(row))];
  };

  it('a second report of one instance', () => {
    expect(split(finished(chain, 1, 'a'), finished(chain, 1, 'a'), finished(chain, 2, 'a'))).toEqual([[0, 2], [1]]);
  });

  it('a task beside its own parent, in whichever order they come', () => {
    expect(split(finished(chain, 1, 'a'), finished(chain, 1, 'b'))).toEqual([[0], [1]]);
    expect(split(finished(chain, 1, 'b'), finished(chain, 1, 'a'))).toEqual([[0], [1]]);
  });

  it('nothing of runs or tasks that have no part in each other', () => {
    expect(split(finished(chain, 1, 'a'), finished(chain, 2, 'b'), finished(chain, 1, 'c'))).toEqual([[0, 1, 2], []]);
  });

  it('just what conflicts, and in the end nothing', () => {
    const picks = fc.array(fc.tuple(fc.integer({ min: 1, max: 2 }), fc.nat(20)), { maxLength: 20, size: 'max' });
    fc.assert(
      fc.property(randomDag({ mostTasks: 6 }), picks, (spec, picked) => {
        const dag = compile(spec);
        const rows = picked.map(([runId, task]) => finished(dag, runId, task % spec.tasks.length));
        const isParent = (a: FinishRow, b: FinishRow) => dag.upstreams[b.taskIndex]?.includes(a.taskIndex) ?? false;
        const clash = (a: FinishRow, b: FinishRow) =>
          a.runId === b.runId && (a.taskIndex === b.taskIndex || isParent(a, b) || isParent(b, a));
        let left: readonly FinishRow[] = rows;
        for (let flush = 0; left.length > 0; flush++) {
          expect(flush).toBeLessThanOrEqual(rows.length);
          const { now, later } = withoutConflicts(left);
          expect([...now, ...later].sort()).toHaveLength(left.length);
          expect(now.some((a, i) => now.slice(i + 1).some((b) => clash(a, b)))).toBe(false);
          for (const row of later) expect(now.some((other) => clash(row, other))).toBe(true);
          // The first report of an instance is the one that counts
          for (const row of later) {
            const same = left.filter((other) => other.runId === row.runId && other.taskIndex === row.taskIndex);
            if (same[0] === row) expect(now.some((other) => same.includes(other))).toBe(false);
          }
          left = later;
        }
      }),
    );
  });
});

describe('a finished task hands over', () => {
  const one = (
    child: Parameters<typeof dagOf>[1][string],
    row: Partial<FinishRow> = {},
    slots = freeSlots(1),
    limit = 1000,
  ) => {
    const dag = compile(dagOf('', { a: [], x: [], child }, { maxActiveTasks: limit }));
    return children(planFinish([finished(dag, 1, 'a', row)], slots))[0]?.[0]?.[1];
  };

  it('a child of its own, when its worker has a slot', () => {
    expect(one(['a'])).toBe(CHILD_MODE.handOver);
  });

  it.each([
    ['no slot is free', one(['a'], {}, freeSlots(0))],
    ['the worker does not serve its queue', one({ upstream: ['a'], queue: 'gpu' })],
    ['it waits for others too', one(['a', 'x'])],
    ['others of higher priority may wait', one({ upstream: ['a'], priority: 0 })],
    ['its rule is against it', one({ upstream: ['a'], triggerRule: 'all_failed' })],
    ['the parent failed', one({ upstream: ['a'], triggerRule: 'all_done' }, { outcome: 'failed' })],
    ['nobody asks for more', one(['a'], { workerId: null })],
    ['another worker reported', one(['a'], { workerId: 2 })],
  ])('not when %s: it is queued', (_, mode) => {
    expect(mode).toBe(CHILD_MODE.queue);
  });

  it('not when limits may bind: it passes through admission', () => {
    expect(one(['a'], {}, freeSlots(1), 2)).toBe(CHILD_MODE.admit);
  });

  it('not an empty task, which has no runner', () => {
    expect(one({ upstream: ['a'], kind: 'empty' })).toBe(CHILD_MODE.instant);
  });

  it('no more children than slots, and takes those slots from the claim', () => {
    const dag = compile(dagOf('', { a: [], b: ['a'], c: ['a'], d: ['a'] }));
    const slots = freeSlots(2);
    const modes = children(planFinish([finished(dag, 1, 'a')], slots))[0]?.map(([, mode]) => mode);
    expect(modes).toEqual([CHILD_MODE.handOver, CHILD_MODE.handOver, CHILD_MODE.queue]);
    expect(slots.get(1)?.free).toBe(0);
  });
});

describe('a plan', () => {
  it('counts no children of a try that is followed by another', () => {
    const dag = compile(dagOf('', { a: [], b: ['a'] }));
    const plan = planFinish([finished(dag, 1, 'a', { outcome: 'up_for_retry', delay: 5 })], freeSlots(1));
    expect(children(plan)).toEqual([[]]);
    expect(plan.parts).toEqual({
      plain: false,
      special: false,
      xcoms: false,
      artifacts: false,
      retries: true,
      extra: false,
      ready: false,
      waiting: false,
    });
  });

  it.each<[string, boolean, Partial<FinishRow>, Parameters<typeof dagOf>[1]]>([
    ['first successes of tasks that others wait for', true, {}, { a: [], b: ['a'], c: ['a', 'b'] }],
    ['a leaf', true, {}, { a: [] }],
    ['a failure', false, { outcome: 'failed' }, { a: [], b: ['a'] }],
    ['a skip', false, { outcome: 'skipped' }, { a: [], b: ['a'] }],
    ['an expired lease', false, { expired: true }, { a: [], b: ['a'] }],
    ['a success that has something to say', false, { message: 'as a person said' }, { a: [], b: ['a'] }],
    ['a task settled without a runner', false, { uuid: null }, { a: [], b: ['a'] }],
    ['a child with another rule', false, {}, { a: [], b: { upstream: ['a'], triggerRule: 'all_done' } }],
    ['a child without a runner', false, {}, { a: [], b: { upstream: ['a'], kind: 'empty' } }],
  ])('is plain or not: %s', (_, plain, row, tasks) => {
    const dag = compile(dagOf('', tasks));
    expect(planFinish([finished(dag, 1, 'a', { cause: 'ok', ...row })], freeSlots(1)).parts.plain).toBe(plain);
  });

  it('carries each row’s own children, its rules and what the batch needs', () => {
    const outcome = fc.constantFrom<TaskState>('success', 'failed', 'skipped');
    const picks = fc.array(fc.tuple(fc.nat(20), outcome, fc.nat(3)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(randomDag({ mostTasks: 8 }), picks, fc.nat(4), (spec, picked, free) => {
        const dag = compile(spec);
        const slots = freeSlots(free);
        const rows = picked.map(([task, how, run]) => finished(dag, run, task % spec.tasks.length, { outcome: how }));
        const plan = planFinish(rows, slots);
        const planned = children(plan);
        expect(planned.map((list) => list.map(([child]) => child))).toEqual(
          rows.map((row) => spec.tasks.flatMap((_, i) => (dag.upstreams[i]?.includes(row.taskIndex) ? [i] : []))),
        );
        const modes = planned.flat().map(([, mode]) => mode);
        const handed = modes.filter((mode) => mode === CHILD_MODE.handOver).length;
        expect(slots.get(1)?.free).toBe(free - handed);
        expect(plan.parts.ready).toBe(modes.includes(CHILD_MODE.queue));
        expect(plan.parts.waiting).toBe(modes.includes(CHILD_MODE.admit));
        expect([...plan.admit]).toEqual(dag.direct ? [] : [...new Set(rows.map((row) => row.runId))]);
        expect(ruleOf(plan)).toEqual(planned.flat().map(([child]) => dag.rules[child]));
      }),
    );
  });
});

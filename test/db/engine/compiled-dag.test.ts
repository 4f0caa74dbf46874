import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileDag, isEntry } from '../../../db/engine/compiled-dag.ts';
import { decide, ruleCode } from '../../../db/engine/trigger-rules.ts';
import type { DagSpec } from '../../../sdk/dag-spec.ts';
import { dagOf } from '../../helpers/engine.ts';
import { randomDag } from '../../helpers/random-dag.ts';

const compile = (spec: DagSpec) => compileDag({ versionId: 7, dagId: 3, dagName: spec.dagId, bundleHash: null, spec });

describe('a compiled DAG', () => {
  it('holds each edge both ways, whatever the order of the tasks', () => {
    const spec = dagOf('shape', { d: ['b', 'c'], a: [], b: ['a'], c: ['a'], lonely: [] });
    const dag = compile(spec);
    const children = spec.tasks.map((task, i) => [
      task.taskId,
      [...dag.children.subarray(dag.offsets[i], dag.offsets[i + 1])].map((child) => spec.tasks[child]!.taskId),
    ]);
    expect(Object.fromEntries(children)).toEqual({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [], lonely: [] });
    expect(dag.upstreams.map((list) => [...list])).toEqual([[2, 3], [], [1], [1], []]);
    expect([...dag.flow.leaf]).toEqual([1, 0, 0, 0, 1]);
  });

  it('says of every task what the spec says', () => {
    fc.assert(
      fc.property(randomDag({ mostTasks: 12 }), (spec) => {
        const dag = compile({ ...spec, dagId: 'any' });
        const { tasks } = spec;
        const childrenOf = (taskId: string) => tasks.filter((task) => task.upstream.includes(taskId));
        tasks.forEach((task, i) => {
          const children = [...dag.children.subarray(dag.offsets[i], dag.offsets[i + 1])].map((child) => tasks[child]!);
          expect(children).toEqual(childrenOf(task.taskId));
          expect(dag.indexOf.get(task.taskId)).toBe(i);
          expect([...(dag.upstreams[i] ?? [])].map((up) => tasks[up]!.taskId)).toEqual(task.upstream);
          expect(dag.flow.leaf[i] === 1).toBe(children.length === 0);
          expect(dag.instant[i] === 1).toBe(task.kind === 'empty');
          expect(dag.rules[i]).toBe(ruleCode(task.triggerRule));
        });
        expect(dag.offsets).toHaveLength(tasks.length + 1);
        expect(dag.direct).toBe(tasks.length <= spec.maxActiveTasks);
      }),
    );
  });

  it('knows which success may settle a child without a runner', () => {
    fc.assert(
      fc.property(randomDag({ mostTasks: 8 }), (spec) => {
        const dag = compile({ ...spec, dagId: 'any' });
        spec.tasks.forEach((task, i) => {
          const mayBeSettled = spec.tasks.some(
            (child) =>
              child.upstream.includes(task.taskId) &&
              (child.kind === 'empty' || ['all_failed', 'all_skipped', 'one_failed'].includes(child.triggerRule)),
          );
          expect(dag.cascadesOnSuccess[i] === 1).toBe(mayBeSettled);
        });
      }),
    );
  });

  it('starts with the tasks whose rule is satisfied by nothing', () => {
    fc.assert(
      fc.property(randomDag({ mostTasks: 8 }), (spec) => {
        for (const task of spec.tasks) {
          const nothing = { total: task.upstream.length, success: 0, failed: 0, upstreamFailed: 0, skipped: 0 };
          expect(isEntry(task)).toBe(decide(task.triggerRule, nothing) === 'ready');
        }
      }),
    );
  });

  it('carries the results that a task takes, and those that its code may ask for', () => {
    const spec = dagOf('results', {
      a: [],
      b: [],
      plain: ['a', 'b'],
      takes: { upstream: ['a', 'b'], inputs: { rows: { task: 'b', key: 'return_value' } } },
      asks: { upstream: ['b', 'a'], command: 'echo {{ ti.xcom_pull("a") }}' },
      asks_in_env: { upstream: ['a'], env: { X: '{{ ti.xcom_pull("a") }}' } },
    });
    const sources = compile(spec).xcomSources.map((list) => list && [...list]);
    expect(sources).toEqual([null, null, null, [1], [0, 1], [0]]);
  });
});

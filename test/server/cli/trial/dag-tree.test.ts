import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { treeOf } from '#server/cli/trial/dag-tree.ts';

const show = (tasks: Record<string, string[]>) =>
  treeOf(Object.entries(tasks).map(([taskId, upstream]) => ({ taskId, upstream }))).map(
    ({ guide, taskId, alsoAfter }) => `${guide}${taskId}${alsoAfter.length > 0 ? ` < ${alsoAfter.join(',')}` : ''}`,
  );

describe('treeOf', () => {
  it('puts each task below the upstream that lies deepest, and names the others', () => {
    expect(show({ a: [], b: ['a'], c: ['a'], join: ['a', 'b', 'c'], last: ['join'], alone: [] })).toEqual([
      'a',
      '├─ b',
      '│  └─ join < a,c',
      '│     └─ last',
      '└─ c',
      'alone',
    ]);
  });

  it('does not indent for ever', () => {
    const chain = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`t${n}`, n === 0 ? [] : [`t${n - 1}`]] as const),
    );
    expect(Math.max(...show(chain).map((line) => line.length))).toBeLessThan(50);
  });

  it('shows every task of any DAG once, after the one that it stands below', () => {
    const dags = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30, size: 'max' })
      .map((picks) =>
        picks.map((ups, index) => ({
          taskId: `t${index}`,
          upstream: index === 0 ? [] : [...new Set(ups.map((up) => `t${up % index}`))],
        })),
      );
    fc.assert(
      fc.property(dags, (tasks) => {
        const lines = treeOf(tasks);
        expect(lines.map((line) => line.taskId).sort()).toEqual(tasks.map((task) => task.taskId).sort());
        for (const { taskId, alsoAfter } of lines) {
          const { upstream } = tasks.find((task) => task.taskId === taskId)!;
          expect(alsoAfter).toHaveLength(Math.max(0, upstream.length - 1));
        }
      }),
    );
  });
});

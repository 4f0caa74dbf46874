import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffSpecs } from '../../sdk/diff-specs.ts';
import { dagOf } from '../helpers/engine.ts';
import { randomDag } from '../helpers/random-dag.ts';

describe('the difference of two versions', () => {
  it('names settings, tasks with their fields, and edges', () => {
    const before = dagOf('d', { a: [], b: ['a'], gone: ['a'] }, { schedule: null });
    const after = dagOf('d', { a: { retries: 2 }, b: [], fresh: ['b'] }, { maxActiveRuns: 3 });
    expect(diffSpecs(before, after)).toEqual({
      settings: [{ field: 'maxActiveRuns', before: 16, after: 3 }],
      tasks: [
        { taskId: 'a', change: 'changed', fields: [{ field: 'retries', before: 0, after: 2 }] },
        { taskId: 'fresh', change: 'added', fields: [] },
        { taskId: 'gone', change: 'removed', fields: [] },
      ],
      edges: [
        { from: 'b', to: 'fresh', change: 'added' },
        { from: 'a', to: 'b', change: 'removed' },
        { from: 'a', to: 'gone', change: 'removed' },
      ],
    });
  });

  it('is nothing for the same spec, whatever the order of its keys', () => {
    fc.assert(
      fc.property(randomDag({ mostTasks: 8 }), (spec) => {
        const one = { ...spec, dagId: 'd' };
        const other = { ...Object.fromEntries(Object.entries(one).reverse()) } as typeof one;
        expect(diffSpecs(one, other)).toEqual({ settings: [], tasks: [], edges: [] });
      }),
    );
  });

  it('the other way round adds what it removed', () => {
    fc.assert(
      fc.property(randomDag({ mostTasks: 8 }), randomDag({ mostTasks: 8 }), (a, b) => {
        const there = diffSpecs({ ...a, dagId: 'd' }, { ...b, dagId: 'd' });
        const back = diffSpecs({ ...b, dagId: 'd' }, { ...a, dagId: 'd' });
        const count = (diff: typeof there, change: string) =>
          [...diff.tasks, ...diff.edges].filter((one) => one.change === change).length;
        expect(count(there, 'added')).toBe(count(back, 'removed'));
        expect(count(there, 'changed')).toBe(count(back, 'changed'));
      }),
    );
  });
});

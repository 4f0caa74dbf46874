import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WEIGHT_RULES, type TaskSpec } from '#sdk/dag-spec.ts';
import { ranksOf } from '#db/engine/priority-weight.ts';
import { dagOf } from '../../helpers/engine.ts';
import { weightOf } from '#db/replay/held-slots.ts';
import { randomDag } from '../../helpers/random-dag.ts';

const rules = fc.array(fc.constantFrom(...WEIGHT_RULES), { minLength: 80, maxLength: 80 });

it('counts each task of the side that the rule names once', () => {
  fc.assert(
    fc.property(randomDag({ mostTasks: 80 }), rules, (spec, chosen) => {
      const tasks = spec.tasks.map((task, i) => ({ ...task, weightRule: chosen[i]! })) as TaskSpec[];
      expect([...ranksOf(tasks)]).toEqual(tasks.map((task) => 0 - weightOf(task, tasks)));
    }),
  );
});

it('stays within 32 bits', () => {
  const tasks = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [
      `t${i}`,
      { upstream: i === 0 ? [] : [`t${i - 1}`], priority: 1_000_000, weightRule: 'downstream' as const },
    ]),
  );
  const ranks = ranksOf(dagOf('heavy', tasks).tasks);
  expect([ranks[0], ranks[2999]]).toEqual([-(2 ** 31 - 1), -1_000_000]);
});

it('is quick for long chains and wide layers', () => {
  const tasks = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, i) => [
      `t${i}`,
      { upstream: i === 0 ? [] : [`t${i - 1}`], weightRule: 'downstream' as const },
    ]),
  );
  expect(ranksOf(dagOf('chain', tasks).tasks)[0]).toBe(-20_000);
});

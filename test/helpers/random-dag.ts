import fc from 'fast-check';
import { TRIGGER_RULES, type DagSpec } from '../../sdk/dag-spec.ts';
import { dagOf } from './engine.ts';

export interface RandomDagOptions {
  mostTasks: number;
  /** Most further tries of a task. */
  mostRetries?: number;
}

/** DAGs of any shape with any trigger rules; some tasks empty, some retried, some limits tight. Upstreams stand before their downstreams. */
export function randomDag({ mostTasks, mostRetries = 2 }: RandomDagOptions): fc.Arbitrary<Omit<DagSpec, 'dagId'>> {
  const task = fc.record({
    // Which of the (at most three) nearest and of the first tasks are upstreams
    upstreams: fc.uniqueArray(fc.nat(mostTasks - 1), { maxLength: 3 }),
    triggerRule: fc.oneof(
      { weight: 1, arbitrary: fc.constant('all_success' as const) },
      { weight: 3, arbitrary: fc.constantFrom(...TRIGGER_RULES) },
    ),
    kind: fc.oneof(
      { weight: 4, arbitrary: fc.constant('bash' as const) },
      { weight: 1, arbitrary: fc.constant('empty' as const) },
    ),
    retries: fc.nat(mostRetries),
    priority: fc.integer({ min: 1, max: 3 }),
  });
  return fc
    .record({
      tasks: fc.array(task, { minLength: 1, maxLength: mostTasks, size: 'max' }),
      maxActiveTasks: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 3 })),
      maxActiveRuns: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ tasks, maxActiveTasks, maxActiveRuns }) => {
      const named = tasks.map(({ upstreams, ...options }, i) => {
        const upstream = i === 0 ? [] : [...new Set(upstreams.map((n) => `t${n % i}`))];
        return [`t${i}`, { ...options, upstream }] as const;
      });
      return dagOf('', Object.fromEntries(named), { maxActiveTasks, maxActiveRuns });
    });
}

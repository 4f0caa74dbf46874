import fc from 'fast-check';
import { TRIGGER_RULES } from '../../sdk/dag-spec.ts';

type Fields = { [field: string]: unknown };

/** A DAG as people write it, with mapped tasks and groups, setups and teardowns, of any shape and any rules. */
export interface RandomFlow {
  groups: Fields[];
  tasks: { taskId: string; [field: string]: unknown }[];
  maxActiveTasks: number;
}

const list = fc.oneof(
  { weight: 2, arbitrary: fc.nat(3).map((n) => ({ literal: n })) },
  { weight: 3, arbitrary: fc.nat(20).map((task) => ({ task })) },
);

export function randomFlow(mostTasks: number): fc.Arbitrary<RandomFlow> {
  const task = fc.record({
    upstreams: fc.uniqueArray(fc.nat(mostTasks - 1), { maxLength: 3 }),
    triggerRule: fc.oneof(
      { weight: 2, arbitrary: fc.constant('all_success') },
      { weight: 2, arbitrary: fc.constantFrom(...TRIGGER_RULES) },
    ),
    map: fc.option(fc.array(list, { minLength: 1, maxLength: 2 }), { freq: 3 }),
    group: fc.constantFrom(null, null, 'g', 'h'),
    role: fc.constantFrom('work', 'work', 'work', 'setup', 'teardown', 'empty'),
    retries: fc.nat(1),
  });
  return fc
    .record({
      tasks: fc.array(task, { minLength: 2, maxLength: mostTasks, size: 'max' }),
      groupMap: fc.array(list, { minLength: 1, maxLength: 1 }),
      isGroupMapped: fc.boolean(),
      maxActiveTasks: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 3 })),
    })
    .map(({ tasks, groupMap, isGroupMapped, maxActiveTasks }) => {
      const nameOf = (i: number) => `${tasks[i]!.group ? `${tasks[i]!.group}.` : ''}t${i}`;
      /** Only what stands before, and outside of groups, can be run over. */
      const sourcesBefore = (i: number) =>
        tasks.slice(0, i).flatMap((one, at) => (one.group === null ? [nameOf(at)] : []));
      const source = (one: { literal: number } | { task: number }, before: string[]) =>
        'literal' in one || before.length === 0
          ? { kind: 'literal', items: Array.from({ length: 'literal' in one ? one.literal : 2 }, (_, i) => i) }
          : { kind: 'result', task: before[one.task % before.length], key: 'return_value' };
      const mapOf = (sources: typeof groupMap, before: string[]) => ({
        over: { kind: 'product', axes: Object.fromEntries(sources.map((one, i) => [`x${i}`, source(one, before)])) },
      });
      const firstOfG = tasks.findIndex(({ group }) => group === 'g');
      const groups = [...new Set(tasks.flatMap(({ group }) => group ?? []))].map((groupId) => ({
        groupId,
        ...(groupId === 'g' && isGroupMapped && { map: mapOf(groupMap, sourcesBefore(firstOfG)) }),
      }));
      const isMapped = (i: number) => isGroupMapped && tasks[i]!.group === 'g';
      const roleOf = tasks.map(({ role, upstreams }, i) => {
        const hasSetup = upstreams.some((n) => i > 0 && tasks[n % i]!.role === 'setup');
        return role === 'teardown' && !hasSetup ? 'work' : role;
      });
      return {
        groups,
        maxActiveTasks,
        tasks: tasks.map((one, i) => {
          const upstream = i === 0 ? [] : [...new Set(one.upstreams.map((n) => nameOf(n % i)))];
          const setups =
            i === 0 ? [] : [...new Set(one.upstreams.map((n) => n % i))].filter((n) => roleOf[n] === 'setup');
          const role = roleOf[i];
          return {
            taskId: nameOf(i),
            kind: role === 'empty' ? 'empty' : 'bash',
            ...(role !== 'empty' && { command: 'true' }),
            upstream,
            ...(role !== 'teardown' && { triggerRule: one.triggerRule }),
            ...(one.group && { group: one.group }),
            ...(role === 'setup' && { setup: true }),
            ...(role === 'teardown' && { teardown: { setups: setups.map(nameOf), failsRun: i % 2 === 0 } }),
            ...(one.map && role === 'work' && !isMapped(i) && { map: mapOf(one.map, sourcesBefore(i)) }),
            retries: one.retries,
            retryDelay: 0,
          };
        }),
      };
    });
}

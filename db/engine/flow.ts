/** What makes a DAG more than a graph: mapped units, setups with their scope, teardowns. Pure; computed once a version. */
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { DagGraph } from './dag-graph.ts';

export interface Flow {
  /** The engine makes instances when this task is ready: a mapped task, or the `map` task of a mapped group. */
  expands: Uint8Array;
  /** Tasks whose instances are made together, by what expands them: a mapped task alone, or the tasks of a mapped group. */
  members: ReadonlyMap<number, Int32Array>;
  /** Per task: what expands it; -1: it is not mapped. */
  unitOf: Int32Array;
  /** Per task: its failure fails the run. Teardowns do not count, unless they say so, and neither does an edge to one. */
  leaf: Uint8Array;
  /** Per setup: what must not run when it has not succeeded; null: it is no setup. */
  setupScope: readonly (Int32Array | null)[];
  hasTeardowns: boolean;
  /** The setups that a task needs, by its index. */
  setupsOf: ReadonlyMap<number, readonly number[]>;
}

export function readFlow(spec: Pick<DagSpec, 'tasks' | 'groups'>, graph: DagGraph): Flow {
  const { tasks } = spec;
  const members = mappedUnits(spec, graph.indexOf);
  const unitOf = new Int32Array(tasks.length).fill(-1);
  for (const [expander, unit] of members) for (const member of unit) unitOf[member] = expander;
  const setupScope = tasks.map((task, i) => (task.setup ? scopeOf(tasks, graph, i) : null));
  const setupsOf = new Map<number, number[]>();
  setupScope.forEach((scope, setup) =>
    scope?.forEach((index) => setupsOf.set(index, [...(setupsOf.get(index) ?? []), setup])),
  );
  return {
    expands: Uint8Array.from(tasks, (_, i) => Number(members.has(i))),
    members,
    unitOf,
    leaf: leaves(tasks, graph),
    setupScope,
    hasTeardowns: tasks.some(({ teardown }) => teardown !== null),
    setupsOf,
  };
}

function mappedUnits(
  { tasks, groups }: Pick<DagSpec, 'tasks' | 'groups'>,
  indexOf: ReadonlyMap<string, number>,
): Map<number, Int32Array> {
  const units = new Map<number, Int32Array>();
  tasks.forEach((task, i) => task.map && task.kind !== 'map' && units.set(i, Int32Array.of(i)));
  for (const { groupId, map } of groups) {
    const expander = map && indexOf.get(`${groupId}.__map__`);
    if (expander == null) continue;
    const inside = tasks.flatMap((task, i) => (i !== expander && isWithin(task.group, groupId) ? [i] : []));
    units.set(expander, Int32Array.from(inside));
  }
  return units;
}

const isWithin = (group: string | null, groupId: string): boolean =>
  group !== null && (group === groupId || group.startsWith(`${groupId}.`));

/** A teardown says nothing of the run's outcome, and what only teardowns follow is an end of the run's work. */
const leaves = (tasks: readonly TaskSpec[], graph: DagGraph): Uint8Array =>
  Uint8Array.from(tasks, ({ teardown }, i) => {
    const isEnd = graph.childrenOf(i).every((child) => tasks[child]?.teardown != null);
    return Number(isEnd && (teardown === null || teardown.failsRun));
  });

/** Between a setup and its teardowns; without one, all that follows. Teardowns are asked by their own rule. */
function scopeOf(tasks: readonly TaskSpec[], graph: DagGraph, setup: number): Int32Array {
  const id = tasks[setup]?.taskId ?? '';
  const below = reach([setup], (i) => graph.childrenOf(i));
  const teardowns = [...below].filter((i) => tasks[i]?.teardown?.setups.includes(id));
  const above = teardowns.length > 0 ? reach(teardowns, (i) => graph.upstreams[i] ?? []) : null;
  return Int32Array.from([...below].filter((i) => tasks[i]?.teardown === null && (above?.has(i) ?? true))).sort();
}

/** All that can be reached from these, without them unless a way leads back. */
export function reach(from: Iterable<number>, next: (index: number) => Iterable<number>): Set<number> {
  const found = new Set<number>();
  const stack = [...from];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    for (const other of next(index)) {
      if (found.has(other)) continue;
      found.add(other);
      stack.push(other);
    }
  }
  return found;
}

/**
 * What the end of a task does beyond counting into its downstreams: a branch leaves some aside, a setup that has not succeeded stops
 * what needs it, a mapped unit is counted into instance by instance. Pure.
 */
import { CHILD_MODE } from '#db/queries/task-transitions/finish-tasks.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { reach } from './flow.ts';

/** Which instances of the child an edge leads to. */
export const SCOPE = {
  /** The one instance of a task that is not mapped. */
  one: 0,
  /** That of the same map index: both are in one mapped unit. */
  same: 1,
  /** All that there are. */
  all: 2,
} as const;

export interface SpecialEdge {
  child: number;
  scope: number;
  /** 1: the end is counted; 0: the child is only looked at. */
  add: 0 | 1;
  /** Into a teardown, from a task that is not its setup. */
  other: boolean;
  /** What the child becomes whatever its rule says; null: its rule decides. */
  force: typeof CHILD_MODE.skip | typeof CHILD_MODE.fail | null;
}

/** What a branch chose: ids of direct downstreams. `all`: what it leaves aside is skipped with all that follows. */
export interface BranchChoice {
  chosen: readonly string[];
  all: boolean;
}

/** The key of the XCom that keeps it. */
export const BRANCH_KEY = 'millrace.branch';

export interface EndedTask {
  dag: CompiledDag;
  taskIndex: number;
  mapIndex: number;
  outcome: string;
  branch: BranchChoice | null;
}

export const isSpecial = ({ dag, taskIndex, branch }: Pick<EndedTask, 'dag' | 'taskIndex' | 'branch'>): boolean =>
  branch !== null || dag.special[taskIndex] === 1;

export function specialEdges(ended: EndedTask): SpecialEdge[] {
  const { dag, taskIndex } = ended;
  const forced = forcedTasks(ended);
  const children = dag.childrenOf(taskIndex);
  const edge = (child: number, add: 0 | 1): SpecialEdge => ({
    child,
    scope: scopeOf(dag, taskIndex, child),
    add,
    other: add === 1 && isOtherOfTeardown(dag, taskIndex, child),
    force: forced.get(child) ?? null,
  });
  const looked = new Set([...forced.keys(), ...(dag.flow.members.get(taskIndex) ?? [])]);
  looked.delete(taskIndex);
  for (const child of children) looked.delete(child);
  return [...Array.from(children, (child) => edge(child, 1)), ...Array.from(looked, (child) => edge(child, 0))];
}

export function scopeOf({ flow }: CompiledDag, from: number, child: number): number {
  const unit = flow.unitOf[child];
  if (unit === -1) return SCOPE.one;
  return unit === flow.unitOf[from] ? SCOPE.same : SCOPE.all;
}

/** Into a teardown, but not from one of its setups. */
export function isOtherOfTeardown({ tasks }: CompiledDag, from: number, child: number): boolean {
  const teardown = tasks[child]?.teardown;
  return teardown != null && !teardown.setups.includes(tasks[from]?.taskId ?? '');
}

type Forced = Map<number, typeof CHILD_MODE.skip | typeof CHILD_MODE.fail>;

function forcedTasks({ dag, taskIndex, mapIndex, outcome, branch }: EndedTask): Forced {
  const forced: Forced = new Map();
  const force = (tasks: Iterable<number>, mode: typeof CHILD_MODE.skip | typeof CHILD_MODE.fail) => {
    for (const index of tasks) forced.set(index, mode);
  };
  if (outcome === 'success') {
    if (branch) force(branchSkips(dag, { taskIndex, mapIndex }, branch), CHILD_MODE.skip);
    return forced;
  }
  const mode = outcome === 'skipped' ? CHILD_MODE.skip : CHILD_MODE.fail;
  force(dag.flow.setupScope[taskIndex] ?? [], mode);
  // Without the arguments of its instances no task of a mapped group can run
  if (dag.tasks[taskIndex]?.kind === 'map') force(dag.flow.members.get(taskIndex) ?? [], mode);
  return forced;
}

/**
 * What a branch leaves aside, but for what a chosen task leads to. Teardowns are asked by their own rule. One instance of a mapped group
 * speaks for its own index alone: what the whole group leads to goes on without it.
 */
export function branchSkips(
  dag: CompiledDag,
  from: Pick<EndedTask, 'taskIndex' | 'mapIndex'>,
  { chosen, all }: BranchChoice,
): Set<number> {
  const followed = chosen.map((id) => dag.indexOf.get(id) ?? -1).filter((index) => index !== -1);
  const kept = reach(followed, (index) => dag.childrenOf(index));
  for (const index of followed) kept.add(index);
  const skipped = new Set([...dag.childrenOf(from.taskIndex)].filter((child) => !kept.has(child)));
  if (all) for (const index of reach([...skipped], (i) => dag.childrenOf(i))) skipped.add(index);
  const { unitOf } = dag.flow;
  const isElsewhere = (index: number) => from.mapIndex >= 0 && unitOf[index] !== unitOf[from.taskIndex];
  for (const index of skipped)
    if (kept.has(index) || dag.tasks[index]?.teardown || isElsewhere(index)) skipped.delete(index);
  return skipped;
}

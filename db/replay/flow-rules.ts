import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import { isFinishedTaskState, type TaskState } from '#sdk/states.ts';
import type { Verdict } from '#db/engine/trigger-rules.ts';
import { airflowVerdict, countStates } from './airflow-rules.ts';

/** Of which instances of a run it is asked. */
export interface KnownInstance {
  taskIndex: number;
  mapIndex: number;
  state: TaskState;
}

export const instanceKey = ({ taskIndex, mapIndex }: Pick<KnownInstance, 'taskIndex' | 'mapIndex'>): string =>
  mapIndex === -1 ? `${taskIndex}` : `${taskIndex}.${mapIndex}`;

const hasFailed = (state: TaskState): boolean =>
  state === 'failed' || state === 'cancelled' || state === 'upstream_failed';

/** What a DAG says of its instances, read off the spec each time. Written from what Airflow's pages say, not from our code. */
export function createFlowRules({ tasks, groups }: Pick<DagSpec, 'tasks' | 'groups'>) {
  const indexOf = new Map(tasks.map((task, i) => [task.taskId, i]));
  const children = tasks.map((task) => tasks.flatMap((other, i) => (other.upstream.includes(task.taskId) ? [i] : [])));
  const parents = tasks.map((task) => task.upstream.map((id) => indexOf.get(id)!));
  const unit = tasks.map((task, i) => unitOf(task, i));

  /** What makes the instances of a task: itself, or the `map` task of its group; null: it is not mapped. */
  function unitOf(task: TaskSpec, index: number): number | null {
    if (task.kind === 'map') return null;
    if (task.map) return index;
    const group = groups.find(({ groupId, map }) => map !== null && `${task.group ?? ''}.`.startsWith(`${groupId}.`));
    return group ? indexOf.get(`${group.groupId}.__map__`)! : null;
  }

  const below = (index: number): Set<number> => {
    const found = new Set<number>();
    const visit = (i: number) => children[i]!.forEach((child) => !found.has(child) && (found.add(child), visit(child)));
    visit(index);
    return found;
  };

  /** The setups that must have succeeded before a task runs. */
  const setupsOf = (index: number): number[] =>
    tasks.flatMap(({ setup, taskId }, s) => {
      if (!setup || tasks[index]!.teardown || !below(s).has(index)) return [];
      const teardowns = [...below(s)].filter((t) => tasks[t]!.teardown?.setups.includes(taskId));
      return teardowns.length === 0 || teardowns.some((t) => below(index).has(t)) ? [s] : [];
    });

  const peersOf = <T extends KnownInstance>(instances: readonly T[], from: KnownInstance, index: number): T[] => {
    const all = instances.filter(({ taskIndex }) => taskIndex === index);
    const inOneUnit = unit[index] !== null && unit[index] === unit[from.taskIndex];
    return inOneUnit && from.mapIndex >= 0 && all.some(({ mapIndex }) => mapIndex >= 0)
      ? all.filter(({ mapIndex }) => mapIndex === from.mapIndex)
      : all;
  };

  function verdict(instances: readonly KnownInstance[], one: KnownInstance): Verdict {
    const task = tasks[one.taskIndex]!;
    const needed = setupsOf(one.taskIndex);
    const maker = unit[one.taskIndex] ?? null;
    if (maker !== null && maker !== one.taskIndex) needed.push(maker);
    const states = needed.flatMap((index) => peersOf(instances, one, index).map(({ state }) => state));
    if (states.some(hasFailed)) return 'upstream_failed';
    if (states.includes('skipped')) return 'skipped';
    const ups = parents[one.taskIndex]!.map((index) => ({ index, peers: peersOf(instances, one, index) }));
    const all = ups.flatMap(({ peers }) => peers.map(({ state }) => state));
    const { teardown } = task;
    const said = teardown
      ? teardownVerdict(
          ups.flatMap(({ index, peers }) => (teardown.setups.includes(tasks[index]!.taskId) ? peers : [])),
          all,
        )
      : airflowVerdict(task.triggerRule, countStates(all));
    // The tasks of a mapped group wait until there are instances of them
    return said === 'ready' && one.mapIndex === -1 && maker !== null && maker !== one.taskIndex ? null : said;
  }

  return {
    unit,
    verdict,
    setupsOf,
    /** What the counters of an instance must be: total, success, failed, upstream_failed, skipped. */
    counts(instances: readonly KnownInstance[], one: KnownInstance): number[] {
      const { teardown } = tasks[one.taskIndex]!;
      const ups = parents[one.taskIndex]!.map((index) => ({ index, peers: peersOf(instances, one, index) }));
      const isOther = (index: number) => teardown !== null && !teardown.setups.includes(tasks[index]!.taskId);
      const direct = ups.flatMap(({ index, peers }) => (isOther(index) ? [] : peers.map(({ state }) => state)));
      const others = ups.flatMap(({ index, peers }) => (isOther(index) ? peers.map(({ state }) => state) : []));
      const c = countStates(direct);
      if (teardown === null) return [c.total, c.success, c.failed, c.upstreamFailed, c.skipped];
      const ended = others.filter(isFinishedTaskState).length;
      return [c.total + others.length, c.success, c.failed + c.upstreamFailed, ended, c.skipped];
    },
    /** Whose failure fails the run. */
    isLeaf(index: number): boolean {
      const { teardown } = tasks[index]!;
      return children[index]!.every((child) => tasks[child]!.teardown) && (teardown === null || teardown.failsRun);
    },
    isAfterBranch: (index: number): boolean => parents[index]!.length > 0,
  };
}

/** It waits for everything above it, and asks its setups alone. */
function teardownVerdict(setups: readonly KnownInstance[], upstreams: readonly TaskState[]): Verdict {
  if (upstreams.length === 0) return 'ready';
  if (!upstreams.every(isFinishedTaskState)) return null;
  if (setups.some(({ state }) => state === 'success')) return 'ready';
  return setups.length > 0 && setups.every(({ state }) => state === 'skipped') ? 'skipped' : 'upstream_failed';
}

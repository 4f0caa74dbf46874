/** Pure: which instances of a run an edit is about. */
import { isFinishedTaskState } from '#sdk/states.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { keyOf, type EditAction, type Instance } from './edit-run.ts';
import { reach } from './flow.ts';

export interface Selection {
  /** Task indexes. */
  tasks: readonly number[];
  /** Only these of a mapped task's instances, and of the tasks of its group; null: all. */
  mapIndexes: readonly number[] | null;
  upstream: boolean;
  downstream: boolean;
}

/** Keys of the instances named, and of what lies up- or downstream of them. To clear a task is to clear its setups and teardowns. */
export function selectInstances(
  dag: CompiledDag,
  instances: readonly Instance[],
  selection: Selection,
  action: EditAction,
): Set<string> {
  const tasks = new Set(selection.tasks);
  if (selection.downstream) for (const index of reach(selection.tasks, (i) => dag.childrenOf(i))) tasks.add(index);
  if (selection.upstream) for (const index of reach(selection.tasks, (i) => dag.upstreams[i] ?? [])) tasks.add(index);
  if (action === 'clear') addSetups(dag, tasks);
  // The whole unit goes with what makes its instances
  for (const [expander, members] of dag.flow.members)
    if (tasks.has(expander) && dag.flow.unitOf[expander] === -1) for (const member of members) tasks.add(member);

  const { mapIndexes } = selection;
  const units = new Set(selection.tasks.map((index) => dag.flow.unitOf[index] ?? -1));
  units.delete(-1);
  const isNamed = ({ taskIndex, mapIndex }: Instance) =>
    tasks.has(taskIndex) &&
    (mapIndexes === null || !units.has(dag.flow.unitOf[taskIndex] ?? -1) || mapIndexes.includes(mapIndex));
  return new Set(instances.filter(isNamed).map(keyOf));
}

function addSetups({ tasks, flow, indexOf }: CompiledDag, selected: Set<number>): void {
  for (const index of [...selected]) for (const setup of flow.setupsOf.get(index) ?? []) selected.add(setup);
  tasks.forEach(({ teardown }, index) => {
    if (teardown?.setups.some((id) => selected.has(indexOf.get(id) ?? -1))) selected.add(index);
  });
}

/**
 * Keys of what else must be cleared with `targets`. A task of a mapped group that never got its instances (the run was ended, or
 * somebody marked it) gets them from the group's `map` task alone: where that has ended, the whole group runs again.
 */
export function* makersOf({ flow }: CompiledDag, instances: readonly Instance[], targets: ReadonlySet<string>) {
  const hasEnded = (index: number) =>
    instances.some(({ taskIndex, state }) => taskIndex === index && isFinishedTaskState(state));
  const makers = new Set<number>();
  for (const { taskIndex, mapIndex } of instances) {
    const maker = flow.unitOf[taskIndex] ?? -1;
    if (mapIndex === -1 && maker !== taskIndex && targets.has(keyOf({ taskIndex, mapIndex }))) makers.add(maker);
  }
  for (const maker of makers)
    if (maker !== -1 && hasEnded(maker))
      for (const one of instances)
        if (one.taskIndex === maker || flow.unitOf[one.taskIndex] === maker) yield keyOf(one);
}

/** Teardowns and their setups, and what a branch may choose. */
import type { TaskSpec, TeardownSpec } from './dag-spec.ts';
import { groupOfMapTask } from './map-spec.ts';
import { didYouMean } from './near-match.ts';
import { withParents } from './read-groups.ts';
import type { Graph } from './spec-graph.ts';

/** Tasks looked at, in search of the setups of all teardowns of a spec. */
const MOST_STEPS = 5_000_000;

/** A setup is above its teardown, directly or with what uses it between them; then it becomes a direct upstream. */
export function checkTeardowns(graph: Graph): void {
  let steps = 0;
  const isAbove = (setup: number, teardown: number): boolean => {
    const seen = new Set([teardown]);
    for (const index of seen) {
      for (const above of graph.upstream[index] ?? []) seen.add(above);
      if (seen.has(setup) && setup !== teardown) return true;
      if (++steps > MOST_STEPS) return false;
    }
    return false;
  };
  graph.tasks.forEach((task, index) => {
    if (!task.teardown) return;
    if (task.setup)
      graph.report(
        `${graph.pathOf(index)}.teardown`,
        `'${task.taskId}' is a setup. Make the teardown a task of its own.`,
      );
    // It has a rule of its own
    task.triggerRule = 'all_success';
    task.teardown.setups = [...new Set(task.teardown.setups)];
    checkSetups(graph, task, task.teardown, index, isAbove);
  });
}

function checkSetups(
  { tasks, indexOf, upstream, pathOf, report }: Graph,
  task: TaskSpec,
  { setups }: TeardownSpec,
  index: number,
  isAbove: (setup: number, teardown: number) => boolean,
): void {
  setups.forEach((named, at) => {
    if (named === '') return;
    const path = `${pathOf(index)}.teardown.setups[${at}]`;
    const found = indexOf.get(named);
    const setup = tasks[found ?? -1];
    if (found === undefined || !setup) {
      const known = tasks.filter((each) => each.setup).map((each) => each.taskId);
      report(path, `There is no task '${named}' in this DAG.${didYouMean(named, known)}`);
    } else if (!setup.setup) report(path, `'${named}' is no setup. Give it 'setup: true'.`);
    else if (!isAbove(found, index))
      report(
        path,
        `'${task.taskId}' tears '${named}' down but does not wait for it. Name it in 'upstream', or the tasks between them.`,
      );
    else if (!task.upstream.includes(named)) {
      task.upstream.push(named);
      upstream[index]?.push(found);
    }
  });
}

/** The options of an approval choose among what waits for it directly. */
export function checkApprovals({ tasks, upstream, pathOf, report }: Graph): void {
  const approvals = tasks.flatMap((task, index) =>
    task.kind === 'approval' && Object.keys(task.branches).length > 0 ? [{ task, index }] : [],
  );
  for (const { task, index } of approvals) {
    const below = new Set(tasks.flatMap(({ taskId }, i) => (upstream[i]?.includes(index) ? [taskId] : [])));
    for (const [option, ids] of Object.entries(task.branches))
      ids.forEach((named, at) => {
        if (named === '' || below.has(named)) return;
        report(
          `${pathOf(index)}.branches.${option}[${at}]`,
          `An approval chooses among what waits for it directly, and the task '${named}' does not.${didYouMean(named, below)}`,
        );
      });
  }
}

/** What a branch may answer with besides ids of tasks: groups around its direct downstream that do not hold the branch too. */
export function addTargets({ tasks, upstream, pathOf, report, groups }: Graph): void {
  const downstream = new Map<TaskSpec, TaskSpec[]>();
  tasks.forEach((task, index) => {
    for (const above of upstream[index] ?? []) {
      const branch = tasks[above];
      if (branch?.kind !== 'branch') continue;
      const below = downstream.get(branch);
      if (below) below.push(task);
      else downstream.set(branch, [task]);
    }
  });
  tasks.forEach((branch, index) => {
    if (branch.kind !== 'branch') return;
    const own = branch.group === null ? [] : withParents(branch.group);
    const below = downstream.get(branch) ?? [];
    branch.targets = {};
    for (const task of below) {
      const group = task.kind === 'map' ? groupOfMapTask(task.taskId) : task.group;
      for (const groupId of group === null ? [] : withParents(group))
        if (!own.includes(groupId)) (branch.targets[groupId] ??= []).push(task.taskId);
    }
    const allowed = new Set([...below.map((task) => task.taskId), ...Object.keys(branch.targets)]);
    branch.choose.forEach(({ then }, choice) =>
      then.forEach((named, at) => {
        if (named === '' || allowed.has(named)) return;
        const what = groups.has(named) ? 'the group' : 'the task';
        report(
          `${pathOf(index)}.choose[${choice}].then[${at}]`,
          `A branch chooses among what waits for it directly, and ${what} '${named}' does not.${didYouMean(named, allowed)}`,
        );
      }),
    );
  });
}

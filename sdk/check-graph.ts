/** From the names that tasks and groups wait for to edges between tasks, with what is wrong with them. */
import { checkMaps } from './check-maps.ts';
import { addTargets, checkApprovals, checkTeardowns } from './check-flow.ts';
import type { TaskSpec } from './dag-spec.ts';
import { MAX_EDGES } from './dag-fields.ts';
import { findGroupEdges } from './group-edges.ts';
import { groupOfMapTask, sourceTasks } from './map-spec.ts';
import { addMapTasks } from './map-tasks.ts';
import { didYouMean } from './near-match.ts';
import { withParents, type ReadGroup } from './read-groups.ts';
import type { Report } from './spec-fields.ts';
import type { Graph } from './spec-graph.ts';
import { findCycles } from './task-graph.ts';

/** A hint looks at every id, so a file of wrong names must not ask for thousands. */
const MAX_HINTS = 20;

/** A task or group id that something waits for, and where it is written. */
interface Reference {
  named: string;
  path: () => string;
  /** False: only a task has a result. */
  group: boolean;
}

/** Ids, references, edges and cycles. Leaves only ids of tasks in the upstreams, and adds the tasks that mapped groups need. */
export function checkGraph(tasks: TaskSpec[], groups: ReadonlyMap<string, ReadGroup>, report: Report): void {
  const written = tasks.length;
  const groupWaits = addMapTasks(tasks, groups, report);
  const indexOf = indexTasks(tasks, groups, report);
  const pathOf = (index: number) =>
    index < written ? `tasks[${index}]` : (groups.get(groupOfMapTask(tasks[index]?.taskId ?? ''))?.path ?? 'groups');
  checkGroupsOf(tasks, groups, report);
  const named = (task: TaskSpec) => [
    ...task.upstream,
    ...Object.values(task.inputs).map((input) => input.task),
    ...(task.map ? sourceTasks(task.map) : []),
  ];
  const edges = findGroupEdges(tasks, indexOf, groups.size === 0 ? [] : tasks.map(named), groupWaits);
  const graph: Graph = { tasks, groups, indexOf, upstream: [], edges, pathOf, report, overflow: false };
  const resolve = createResolver(graph);
  graph.upstream = tasks.map((task, index) => resolve(referencesOf(task, pathOf(index)), task.group));
  const labels = groups.size > 0 ? wireGroups(graph, groupWaits, resolve) : null;
  tasks.forEach((task, index) => finishEdges(graph, task, index, labels?.get(index)));
  checkTeardowns(graph);
  checkApprovals(graph);
  checkMaps(graph);
  addTargets(graph);
  checkSize(graph);
  if (!groupCycles(graph)) reportCycles(graph);
}

function indexTasks(
  tasks: readonly TaskSpec[],
  groups: ReadonlyMap<string, ReadGroup>,
  report: Report,
): Map<string, number> {
  const indexOf = new Map<string, number>();
  tasks.forEach(({ taskId }, index) => {
    if (taskId === '') return;
    const first = indexOf.get(taskId);
    if (first === undefined) indexOf.set(taskId, index);
    else
      report(`tasks[${index}].taskId`, `'${taskId}' is already the id of tasks[${first}]. Give each task its own id.`);
    if (groups.has(taskId))
      report(`tasks[${index}].taskId`, `'${taskId}' is already the id of a group. Give the task another.`);
  });
  return indexOf;
}

function checkGroupsOf(tasks: readonly TaskSpec[], groups: ReadonlyMap<string, ReadGroup>, report: Report): void {
  let hints = 0;
  tasks.forEach(({ group }, index) => {
    if (!group || groups.has(group)) return;
    const hint = hints++ < MAX_HINTS ? didYouMean(group, groups.keys()) : '';
    report(`tasks[${index}].group`, `There is no group '${group}' in this DAG.${hint} List it in 'groups'.`);
  });
}

function referencesOf(task: TaskSpec, path: string): Reference[] {
  const references: Reference[] = task.upstream.map((named, at) => ({
    named,
    path: () => `${path}.upstream[${at}]`,
    group: true,
  }));
  for (const name in task.inputs)
    references.push({ named: task.inputs[name]?.task ?? '', path: () => `${path}.inputs.${name}`, group: false });
  if (task.map)
    for (const named of sourceTasks(task.map)) references.push({ named, path: () => `${path}.map`, group: false });
  return references;
}

type Resolve = (references: readonly Reference[], within: string | null) => number[];

/** Indexes of the tasks that references stand for, each once. A group stands for its leaves. */
function createResolver(graph: Graph): Resolve {
  const { groups, indexOf, edges, report } = graph;
  let hints = 0;
  let made = 0;
  const unknown = ({ named, path }: Reference) => {
    if (!named) return;
    const hint = hints++ < MAX_HINTS ? didYouMean(named, [...indexOf.keys(), ...groups.keys()]) : '';
    report(path(), `There is no task '${named}' in this DAG.${hint}`);
  };
  const leavesOf = (reference: Reference, within: string | null): readonly number[] => {
    const { named, path } = reference;
    if (!groups.has(named)) unknown(reference);
    else if (!reference.group) report(path(), `'${named}' is a group and has no result. Name one of its tasks.`);
    else if (within !== null && withParents(within).includes(named))
      report(path(), `A task cannot wait for the group '${named}' that it stands in. Name the tasks it waits for.`);
    else if (edges.membersOf(named).length === 0) report(path(), `There is no task in the group '${named}'.`);
    else {
      const leaves = edges.leavesOf(named);
      made += leaves.length;
      if (made <= MAX_EDGES) return leaves;
      graph.overflow = true;
    }
    return [];
  };
  return (references, within) => {
    const found: number[] = [];
    for (const reference of references) {
      const index = indexOf.get(reference.named);
      if (index === undefined) found.push(...leavesOf(reference, within));
      else found.push(index);
    }
    return found.length > 1 ? [...new Set(found)] : found;
  };
}

type Labels = Map<number, { [upstream: string]: string }>;

/** What a group waits for, its entry tasks wait for. */
function wireGroups(graph: Graph, groupWaits: ReadonlyMap<string, readonly string[]>, resolve: Resolve): Labels {
  const { groups, edges, upstream, tasks, indexOf, report } = graph;
  const labels: Labels = new Map();
  let made = 0;
  for (const [groupId, waits] of groupWaits) {
    const group = groups.get(groupId);
    if (!group || waits.length === 0) continue;
    const references = waits.map((named, at) => ({ named, path: () => `${group.path}.upstream[${at}]`, group: true }));
    const inside = references.filter(({ named }) => {
      const task = tasks[indexOf.get(named) ?? -1];
      return (task ? withParents(task.group ?? '') : withParents(named)).includes(groupId);
    });
    for (const { named, path } of inside)
      report(path(), `The group '${groupId}' cannot wait for '${named}' inside it.`);
    const indexes = resolve(
      inside.length > 0 ? references.filter((each) => !inside.includes(each)) : references,
      groupId,
    );
    for (const entry of edges.entriesOf(groupId)) {
      made += indexes.length;
      if (made > MAX_EDGES) graph.overflow = true;
      if (graph.overflow) return labels;
      upstream[entry] = [...new Set([...(upstream[entry] ?? []), ...indexes])];
      labels.set(entry, { ...labels.get(entry), ...group.edgeLabels });
    }
  }
  return labels;
}

/** Writes the edges into the task, and each label at the edges it stands for. */
function finishEdges(
  graph: Graph,
  task: TaskSpec,
  index: number,
  ofGroups: { [id: string]: string } | undefined,
): void {
  const { tasks, upstream, indexOf, edges, pathOf, report } = graph;
  const above = upstream[index] ?? [];
  task.upstream = above.map((found) => (tasks[found] as TaskSpec).taskId);
  const labels: { [upstream: string]: string } = {};
  for (const [named, label] of Object.entries({ ...ofGroups, ...task.edgeLabels })) {
    const at = indexOf.get(named);
    const ends = (at === undefined ? edges.leavesOf(named) : [at]).filter((end) => above.includes(end));
    for (const end of ends) labels[(tasks[end] as TaskSpec).taskId] = label;
    if (ends.length === 0 && !(ofGroups && named in ofGroups))
      report(
        `${pathOf(index)}.edgeLabels.${named}`,
        `'${task.taskId}' does not wait for '${named}', so there is no edge to label.${didYouMean(named, task.upstream)}`,
      );
  }
  task.edgeLabels = labels;
}

function checkSize({ upstream, overflow, report }: Graph): void {
  const count = upstream.reduce((sum, above) => sum + above.length, 0);
  if (overflow || count > MAX_EDGES)
    report(
      'tasks',
      `${overflow ? `More than ${MAX_EDGES}` : count} edges; at most ${MAX_EDGES} are allowed. Put an empty task between wide layers.`,
    );
}

/** True when groups wait for each other: their tasks do too then, and one message is enough. */
function groupCycles({ groups, report }: Graph): boolean {
  const ids = [...groups.keys()];
  const place = new Map(ids.map((id, index) => [id, index]));
  const waits = [...groups.values()].map((group) =>
    group.upstream.map((named) => place.get(named)).filter((found) => found !== undefined),
  );
  const cycles = findCycles(waits);
  for (const cycle of cycles)
    report(
      `${groups.get(ids[cycle[0] ?? 0] ?? '')?.path}.upstream`,
      `The groups wait for each other in a cycle: ${pathText([...cycle, cycle[0] ?? 0].map((at) => ids[at] ?? ''))}. Remove one of these edges.`,
    );
  return cycles.length > 0;
}

function reportCycles({ tasks, upstream, pathOf, report }: Graph): void {
  for (const cycle of findCycles(upstream)) {
    const [first = 0] = cycle;
    report(
      `${pathOf(first)}.upstream`,
      `The tasks wait for each other in a cycle: ${pathText([...cycle, first].map((index) => tasks[index]?.taskId ?? ''))}. Remove one of these edges.`,
    );
  }
}

const pathText = (ids: string[]): string =>
  (ids.length > 12 ? [...ids.slice(0, 8), '…', ...ids.slice(-3)] : ids).join(' → ');

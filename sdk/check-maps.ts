/** What can be wrong with mapped tasks and groups. */
import { ownArguments } from './code-fields.ts';
import type { TaskSpec } from './dag-spec.ts';
import { knownLength, MAP_LIMIT, type MapSpec } from './map-spec.ts';
import { withParents, type ReadGroup } from './read-groups.ts';
import { kindOf } from './task-kinds.ts';
import type { Graph } from './spec-graph.ts';

export function checkMaps(graph: Graph): void {
  const { tasks, groups, edges, pathOf, report } = graph;
  tasks.forEach((task, index) => {
    markLists(graph, task);
    const around = mappedAround(groups, task.group);
    if (task.map && task.kind !== 'map') checkMappedTask(graph, task, task.map, pathOf(index), around);
    if (around?.spec.map)
      checkArguments(graph, task, around.spec.map, pathOf(index), ` of the group '${around.spec.groupId}'`);
    if (groups.size > 0) checkDecisions(graph, task, index);
  });
  for (const [groupId, { spec, path }] of groups) {
    if (!spec.map) continue;
    checkLimit(graph, spec.map, path);
    const around = mappedAround(groups, withParents(groupId)[1] ?? null);
    if (around)
      report(`${path}.map`, `'${groupId}' stands in the mapped group '${around.spec.groupId}'. Map one of the two.`);
    if (edges.membersOf(groupId).length === 0) report(path, `There is no task in the mapped group '${groupId}'.`);
  }
}

/** Results of a mapped task are a list, but for the tasks of the same copy of a mapped group. */
function markLists({ tasks, groups, indexOf }: Graph, task: TaskSpec): void {
  for (const input of Object.values(task.inputs)) {
    const source = tasks[indexOf.get(input.task) ?? -1];
    const around = source ? mappedAround(groups, source.group) : null;
    if (source?.map || (around && around !== mappedAround(groups, task.group))) input.list = true;
  }
}

/** The nearest mapped group at or around a group. */
function mappedAround(groups: ReadonlyMap<string, ReadGroup>, group: string | null): ReadGroup | null {
  if (group === null || groups.size === 0) return null;
  for (const id of withParents(group)) if (groups.get(id)?.spec.map) return groups.get(id) ?? null;
  return null;
}

function checkMappedTask(graph: Graph, task: TaskSpec, map: MapSpec, path: string, around: ReadGroup | null): void {
  const { report } = graph;
  const reason =
    task.setup || task.teardown ? 'a setup or teardown belongs to all below it' : kindOf(task.kind)?.unmappable;
  if (reason) report(`${path}.map`, `'${task.taskId}' (${task.kind}) cannot be mapped: ${reason}.`);
  if (around)
    report(
      `${path}.map`,
      `A task in the mapped group '${around.spec.groupId}' cannot be mapped itself: it runs once per item of the group.`,
    );
  checkLimit(graph, map, path);
  checkArguments(graph, task, map, path, '');
}

function checkLimit({ report }: Graph, map: MapSpec, path: string): void {
  const length = knownLength(map);
  const limit = map.limit ?? MAP_LIMIT;
  if (length !== null && length > limit)
    report(
      `${path}.map`,
      `It makes ${length} instances; its limit is ${limit}. Raise 'limit', or take several items at once.`,
    );
}

/** An argument of the map would hide another of that name, or be hidden. */
function checkArguments({ report }: Graph, task: TaskSpec, map: MapSpec, path: string, ofGroup: string): void {
  if (map.over.kind !== 'product') return;
  const own = new Set(ownArguments(task));
  for (const name of Object.keys(map.over.axes)) {
    const other = Object.hasOwn(task.inputs, name) ? 'an input' : own.has(name) ? 'an argument or variable' : null;
    if (other)
      report(
        other === 'an input' ? `${path}.inputs.${name}` : path,
        `'${name}' is an argument of the map${ofGroup} and ${other} of '${task.taskId}'. Give one of them another name.`,
      );
  }
}

/** Instances decide for themselves: what one skips must not be shared with the others. */
function checkDecisions({ groups, upstream, tasks, pathOf, report }: Graph, task: TaskSpec, index: number): void {
  for (const above of upstream[index] ?? []) {
    const decision = tasks[above];
    if (decision?.kind !== 'branch' && decision?.kind !== 'short_circuit' && decision?.kind !== 'latest_only') continue;
    const around = mappedAround(groups, decision.group)?.spec.groupId;
    if (around === undefined || around === mappedAround(groups, task.group)?.spec.groupId) continue;
    report(
      `${pathOf(index)}.upstream`,
      `'${decision.taskId}' decides once per item of the mapped group '${around}', and '${task.taskId}' lies outside it. Put an empty task of the group between them.`,
    );
  }
}

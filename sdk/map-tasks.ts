/** The task that stands before a mapped group and counts its instances. */
import type { MapTaskSpec, TaskSpec } from './dag-spec.ts';
import { groupOfMapTask, MAP_TASK_SUFFIX, mapTaskId } from './map-spec.ts';
import { withParents, type ReadGroup } from './read-groups.ts';
import { createFieldsReader, type Report } from './spec-fields.ts';
import { kindOf } from './task-kinds.ts';

const readMapTask = createFieldsReader(kindOf('map')?.fields ?? {});

/**
 * Adds the map tasks that are not there yet (they are in a canonical spec) and gives the ids that each group waits for.
 * A mapped group waits for its map task, which waits for what the group says.
 */
export function addMapTasks(
  tasks: TaskSpec[],
  groups: ReadonlyMap<string, ReadGroup>,
  report: Report,
): Map<string, readonly string[]> {
  const waits = new Map([...groups].map(([groupId, group]) => [groupId, group.upstream as readonly string[]]));
  const existing = new Map<string, MapTaskSpec>();
  tasks.forEach((task, index) => {
    const isName = task.taskId.endsWith(MAP_TASK_SUFFIX);
    if (task.kind === 'map' && isName && groups.get(groupOfMapTask(task.taskId))?.spec.map)
      existing.set(task.taskId, task);
    else if (task.kind === 'map')
      report(
        `tasks[${index}].kind`,
        `A task of kind 'map' is made for a mapped group. Give the group a 'map' instead.`,
      );
    else if (isName)
      report(`tasks[${index}].taskId`, `An id that ends in '${MAP_TASK_SUFFIX}' is that of a mapped group's own task.`);
  });
  for (const [groupId, { spec, upstream, edgeLabels, path }] of groups) {
    if (!spec.map) continue;
    const taskId = mapTaskId(groupId);
    const task = existing.get(taskId) ?? (readMapTask({ taskId, kind: 'map' }, path, report) as unknown as MapTaskSpec);
    if (!existing.has(taskId)) tasks.push(task);
    task.upstream = [...new Set([...task.upstream, ...upstream])];
    task.edgeLabels = { ...task.edgeLabels, ...edgeLabels };
    task.map = spec.map;
    task.group = withParents(groupId)[1] ?? null;
    waits.set(groupId, [taskId]);
  }
  return waits;
}

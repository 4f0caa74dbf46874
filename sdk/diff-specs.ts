/** What is different between two versions of a DAG. Pure. */
import { canonicalJson } from './canonical.ts';
import type { DagSpec, TaskSpec } from './dag-spec.ts';
import type { Json } from './protocol.ts';

export interface FieldChange {
  field: string;
  /** Undefined: there was none. */
  before: Json | undefined;
  after: Json | undefined;
}

export interface TaskChange {
  taskId: string;
  change: 'added' | 'removed' | 'changed';
  /** Of a changed one; its upstreams are told as edges. */
  fields: FieldChange[];
}

export interface EdgeChange {
  from: string;
  to: string;
  change: 'added' | 'removed';
}

export interface SpecDiff {
  settings: FieldChange[];
  tasks: TaskChange[];
  edges: EdgeChange[];
}

/** Tasks in the order of the newer spec, removed ones after them. */
export function diffSpecs(before: DagSpec, after: DagSpec): SpecDiff {
  const { tasks: oldTasks, ...oldSettings } = before;
  const { tasks: newTasks, ...newSettings } = after;
  const old = new Map(oldTasks.map((task) => [task.taskId, task]));
  const now = new Set(newTasks.map(({ taskId }) => taskId));
  const tasks = newTasks.flatMap((task): TaskChange[] => {
    const known = old.get(task.taskId);
    if (!known) return [{ taskId: task.taskId, change: 'added', fields: [] }];
    const fields = diffFields(withoutEdges(known), withoutEdges(task));
    return fields.length > 0 ? [{ taskId: task.taskId, change: 'changed', fields }] : [];
  });
  const removed = oldTasks.filter(({ taskId }) => !now.has(taskId));
  return {
    settings: diffFields(oldSettings, newSettings),
    tasks: [...tasks, ...removed.map(({ taskId }): TaskChange => ({ taskId, change: 'removed', fields: [] }))],
    edges: diffEdges(oldTasks, newTasks),
  };
}

function withoutEdges({ upstream: _, ...task }: TaskSpec): object {
  return task;
}

function diffFields(before: object, after: object): FieldChange[] {
  const [old, now] = [before as { [field: string]: Json }, after as { [field: string]: Json }];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].sort().flatMap((field) => {
    const isSame = textOf(old[field]) === textOf(now[field]);
    return isSame ? [] : [{ field, before: old[field], after: now[field] }];
  });
}

const textOf = (value: Json | undefined): string | undefined =>
  value === undefined ? undefined : canonicalJson(value);

function diffEdges(before: readonly TaskSpec[], after: readonly TaskSpec[]): EdgeChange[] {
  const edgesOf = (tasks: readonly TaskSpec[]) =>
    new Map(
      tasks.flatMap(({ taskId, upstream }) =>
        upstream.map((from) => [JSON.stringify([from, taskId]), { from, to: taskId }] as const),
      ),
    );
  const [old, now] = [edgesOf(before), edgesOf(after)];
  const only = (these: typeof old, others: typeof old, change: EdgeChange['change']): EdgeChange[] =>
    [...these].flatMap(([key, edge]) => (others.has(key) ? [] : [{ ...edge, change }]));
  return [...only(now, old, 'added'), ...only(old, now, 'removed')];
}

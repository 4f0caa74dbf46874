/** Which of the worker's runtimes a task's own code needs. */
import type { TaskSpec } from './dag-spec.ts';

/** Null: it has no code of its own. */
export function runtimeOf(task: TaskSpec): 'typescript' | 'python' | null {
  if (task.kind === 'typescript' || task.kind === 'python') return task.kind;
  if (task.kind === 'sensor') return task.for.python ? 'python' : task.for.typescript ? 'typescript' : null;
  if (task.kind !== 'branch' && task.kind !== 'short_circuit') return null;
  return task.runtime === 'template' ? null : task.runtime;
}

/** Its Python, if it has any. */
export function pythonOf(task: TaskSpec): { callable: string | null; source: string | null } | null {
  if (task.kind === 'sensor') return task.for.python ?? null;
  return runtimeOf(task) === 'python' && 'callable' in task ? task : null;
}

import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { TaskHost } from '#sdk/run-task.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

/** What is wrong with a spec: `path: message`. */
export function issuesOf(input: unknown): string[] {
  const result = validateDagSpec(input);
  return result.ok ? [] : result.issues.map((issue) => `${issue.path}: ${issue.message}`);
}

export function specOf(input: unknown): DagSpec {
  const result = validateDagSpec(input);
  if (!result.ok) throw new Error(result.issues.map((issue) => `${issue.path}: ${issue.message}`).join('\n'));
  return result.spec;
}

/** `b ← a c`: each task with what it waits for. */
export const linesOf = (spec: DagSpec): string[] =>
  spec.tasks.map(({ taskId, upstream }) => (upstream.length > 0 ? `${taskId} ← ${upstream.join(' ')}` : taskId));

/** What a runner gives to a TypeScript task whose upstreams had these results. */
export function bundledDag(spec: DagSpec, taskId: string, results: { [task: string]: Json }) {
  const xcoms = Object.entries(results).map(([task, value]) => ({
    taskId: task,
    key: 'return_value',
    mapIndex: -1,
    value,
  }));
  const task = spec.tasks.find((each) => each.taskId === taskId);
  const dispatch = { dagId: spec.dagId, taskId, task, xcoms, mapItem: null, run: { params: {}, conf: {} } };
  const host: TaskHost = { signal: new AbortController().signal, xcomPush: () => undefined, bundleDir: null, env: {} };
  return { dispatch: dispatch as unknown as Dispatch, host };
}

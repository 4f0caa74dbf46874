import type { DagSpec } from '#sdk/dag-spec.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

export const RUNS_PER_BATCH = 50;
export const TASKS_PER_RUN = 10;

/** Ten tasks without edges, in a queue of the client's own. */
export function limitSpec(client: number): DagSpec {
  const tasks = Array.from({ length: TASKS_PER_RUN }, (_, i) => ({
    taskId: `task_${i}`,
    kind: 'bash',
    command: ':',
    queue: `limit_${client}`,
  }));
  const input = { dagId: `limit_${client}`, maxActiveRuns: 10_000, maxActiveTasks: 1000, tasks };
  const result = validateDagSpec(input);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.spec;
}

import { CancelDagRun, ClearTasks } from '../../graphql/documents/runs.ts';
import { mutate, type Outcome } from '../../graphql/mutate.ts';
import { runText } from '../../messages/run.ts';
import { taskText } from '../../messages/task.ts';
import { notices } from '../../state/notices.svelte.ts';
import type { RunLive } from './run-live.svelte.ts';
import type { TaskRow } from './task-rows.ts';

/** Asks; the state changes when its event arrives. */
export async function cancelRun(live: RunLive, runId: string): Promise<Outcome<unknown>> {
  live.cancelRequested = true;
  const outcome = await mutate(CancelDagRun, { input: { runId } });
  if (!outcome.ok) live.cancelRequested = false;
  return outcome;
}

interface Clear {
  runId: string;
  taskIds?: string[];
  downstream?: boolean;
  onlyFailed?: boolean;
}

async function clear(live: RunLive, title: string, input: Clear, expected: readonly TaskRow[]): Promise<void> {
  live.requestTasks(expected.map((row) => row.key));
  const outcome = await mutate(ClearTasks, { input });
  if (!outcome.ok) {
    live.forgetRequests(expected.map((row) => row.key));
    return notices.add(title, outcome.problem.title);
  }
  // What the service did not clear will send no event.
  const cleared = new Set(outcome.data.taskInstances.map((instance) => instance.id));
  live.forgetRequests(expected.filter((row) => !cleared.has(row.id)).map((row) => row.key));
}

export function retryFailed(live: RunLive, runId: string, failed: readonly TaskRow[]): Promise<void> {
  const taskIds = [...new Set(failed.map((row) => row.taskId))];
  return clear(
    live,
    runText().retryFailed(failed.length),
    { runId, taskIds, onlyFailed: true, downstream: true },
    failed,
  );
}

export function clearTask(live: RunLive, runId: string, row: TaskRow): Promise<void> {
  return clear(live, taskText().clear, { runId, taskIds: [row.taskId], downstream: true }, [row]);
}

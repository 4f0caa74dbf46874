import { client } from '../../graphql/client.ts';
import { CancelDagRun, ClearTasks } from '../../graphql/documents/runs.ts';
import { t } from '../../messages/common.ts';
import { runText } from '../../messages/run.ts';
import { taskText } from '../../messages/task.ts';
import { notices } from '../../state/notices.svelte.ts';
import type { RunLive } from './run-live.svelte.ts';
import type { TaskRow } from './task-rows.ts';

/** Asks; the state changes when its event arrives. */
export async function cancelRun(live: RunLive, runId: string): Promise<void> {
  live.cancelRequested = true;
  const result = await client.mutation(CancelDagRun, { input: { runId } }).toPromise();
  const answer = result.data?.cancelDagRun;
  if (answer?.__typename === 'MutationCancelDagRunSuccess') return;
  live.cancelRequested = false;
  notices.add(runText().cancel, answer?.message ?? result.error?.message ?? t().errors.network);
}

interface Clear {
  runId: string;
  taskIds?: string[];
  downstream?: boolean;
  onlyFailed?: boolean;
}

async function clear(live: RunLive, title: string, input: Clear, expected: readonly TaskRow[]): Promise<void> {
  live.requestTasks(expected.map((row) => row.key));
  const result = await client.mutation(ClearTasks, { input }).toPromise();
  const answer = result.data?.clearTasks;
  if (answer?.__typename === 'MutationClearTasksSuccess') {
    // What the service did not clear will send no event.
    const cleared = new Set(answer.data.taskInstances.map((instance) => instance.id));
    live.forgetRequests(expected.filter((row) => !cleared.has(row.id)).map((row) => row.key));
    return;
  }
  live.forgetRequests(expected.map((row) => row.key));
  notices.add(title, answer?.message ?? result.error?.message ?? t().errors.network);
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

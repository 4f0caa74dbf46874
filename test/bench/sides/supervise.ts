import type { Dispatch, TaskReport } from '#sdk/protocol.ts';
import { createBundleCache } from '#server/bundles/bundle-cache.ts';
import { createSupervisorClient } from '#server/runner/supervisor-client.ts';
import type { WorkerDeps } from '#server/worker/worker.ts';
import { nowUs } from './serve.ts';

type Supervise = WorkerDeps['supervise'];

/** The first line of a handler. */
export interface HandlerStart {
  runId: string;
  at: number;
}

const success = (dispatchId: string): TaskReport => ({ dispatchId, outcome: 'success', cause: 'ok', logBytes: 0 });

/** In the place of the process that runs tasks: each task is one call that returns at once. */
export const callTasks =
  (starts: HandlerStart[]): Supervise =>
  (onEvent) => ({
    start(dispatch: Dispatch) {
      starts.push({ runId: dispatch.run.runId, at: nowUs() });
      onEvent({ type: 'finished', report: success(dispatch.dispatchId) });
    },
    cancel: () => undefined,
    running: () => [],
    pid: () => undefined,
    setPaused: () => undefined,
    drain: () => Promise.resolve(),
    handBack: () => undefined,
    stop: () => Promise.resolve(),
  });

/** The real one, as a worker starts it. */
export function superviseTasks(home: string, fetchBundle: (hash: string) => Promise<Buffer>): Supervise {
  const bundles = createBundleCache({ dir: `${home}/bundles`, fetch: fetchBundle });
  return (onEvent) => createSupervisorClient({ home, fetchBundleDir: (hash) => bundles.dirOf(hash), onEvent });
}

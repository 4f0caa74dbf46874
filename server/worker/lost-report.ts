import type { TaskReport } from '#sdk/protocol.ts';

/** Of a task whose supervisor died, and its processes with it. */
export const lostReport = (dispatchId: string, why: string, logBytes = 0): TaskReport => ({
  dispatchId,
  outcome: 'failed',
  cause: 'worker_lost',
  message: why,
  logBytes,
});

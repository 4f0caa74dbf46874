import type { TaskReport } from '#sdk/protocol.ts';

/** Of a task whose supervisor died, and its processes with it. */
export const lostReport = (dispatchId: string, logBytes: number): TaskReport => ({
  dispatchId,
  outcome: 'failed',
  cause: 'worker_lost',
  message: 'The supervisor process that ran it ended.',
  logBytes,
});

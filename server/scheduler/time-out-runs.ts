import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { millisecondsToTimeout, overdueRuns } from '#db/queries/run-rules.ts';

const BATCH = 100;

/** Ends the runs whose dagrunTimeout is over; says for how many milliseconds there is nothing to do. */
export async function timeOutRuns(db: Db, engine: Pick<Engine, 'endRun'>): Promise<number> {
  const overdue = await overdueRuns(db, BATCH);
  for (const { runId, seconds } of overdue) {
    await engine.endRun({
      runId,
      as: 'failed',
      rest: 'skipped',
      actor: 'scheduler',
      cause: 'run_timeout',
      provided: 'overdue',
      reason: `The run took longer than its dagrunTimeout of ${seconds} s.`,
    });
  }
  if (overdue.length > 0) return 0;
  return Math.max(1, (await millisecondsToTimeout(db)) ?? Infinity);
}

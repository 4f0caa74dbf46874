/** Ends the runs for which a concurrency key has no place. */
import type { Db } from '#db/client.ts';
import type { EndRunRequest } from '#db/queries/task-transitions/end-run.ts';
import { supersededRuns } from '#db/queries/run-keys.ts';

/** Null: of all DAGs. Twice does no harm: who has ended is not found again. */
export async function endSuperseded(
  db: Db,
  dagIds: readonly number[] | null,
  end: (request: EndRunRequest) => Promise<unknown>,
): Promise<void> {
  for (const { runId, by, key, strategy } of await supersededRuns(db, dagIds)) {
    const reason =
      strategy === 'cancel_in_progress'
        ? `Run ${by} of the same concurrency key ${key} has taken its place.`
        : `Run ${by} of the same concurrency key ${key} was there before it.`;
    await end({ runId, as: 'cancelled', rest: 'cancelled', actor: 'concurrency', cause: 'cancelled', reason });
  }
}

import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { isTransient } from '#db/engine/transient-errors.ts';
import { lockOpenJob, recordItems, type ItemOutcome, type OpenJob } from '#db/queries/bulk-job.ts';

/** Runs that one pass takes. */
const BATCH = 100;
/** At once: the service has other things to do as well. */
const ABREAST = 4;

type JobEngine = Pick<Engine, 'editTasks' | 'endRun'>;

/**
 * Does the next runs of the oldest open job, and notes each few as soon as they are done: what dies on the way does at most those again.
 * True: there may be more.
 */
export async function runBulkJobs(db: Db, engine: JobEngine): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const job = await lockOpenJob(trx, BATCH);
    if (!job) return false;
    for (let at = 0; at < job.items.length; at += ABREAST) {
      const some = job.items.slice(at, at + ABREAST);
      await recordItems(db, job.id, await Promise.all(some.map((item) => doItem(engine, job, item))));
    }
    return true;
  });
}

async function doItem(
  engine: JobEngine,
  job: OpenJob,
  { seq, runId }: { seq: number; runId: number },
): Promise<ItemOutcome> {
  const refusal = await act(engine, job, runId).catch((error: unknown) => {
    // What may be better the next time is tried again
    if (isTransient(error)) throw error;
    return String(error);
  });
  return { seq, outcome: refusal === null ? 'done' : 'refused', message: refusal };
}

const REFUSALS: { [reason: string]: string } = {
  not_found: 'The run is gone.',
  finished: 'The run has ended already.',
  not_started: 'The run is still queued: there is nothing to edit yet.',
  unknown_task: 'The version of this run has no such task.',
};

/** Null: done; otherwise why not. */
async function act(
  engine: JobEngine,
  { id, action, spec, created_by: actor }: OpenJob,
  runId: number,
): Promise<string | null> {
  if (action === 'cancel') {
    // Done twice it must not cut off the teardowns that the first left running, as a person's second word does
    const how = { as: 'cancelled', rest: 'cancelled', cause: 'cancelled' } as const;
    const result = await engine.endRun({
      ...how,
      runId,
      actor,
      reason: `Bulk job ${id} of ${actor} cancelled the run.`,
    });
    return result === 'ended' || result === 'changed' ? null : (REFUSALS[result] ?? result);
  }
  const { state, ...selection } = spec;
  const edited = await engine.editTasks({
    ...selection,
    runId,
    actor,
    action: action === 'clear' ? 'clear' : (state ?? 'success'),
  });
  return Array.isArray(edited) ? null : (REFUSALS[edited] ?? edited);
}

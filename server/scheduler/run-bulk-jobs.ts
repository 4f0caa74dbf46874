import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { lockOpenJob, recordItems, type ItemOutcome, type OpenJob } from '#db/queries/bulk-job.ts';

/** Runs between two words of progress. */
const BATCH = 25;
/** At once: the service has other things to do as well. */
const ABREAST = 4;

type JobEngine = Pick<Engine, 'editTasks' | 'cancelRun'>;

/**
 * Does the next runs of the oldest open job. A crash on the way does some of them again, which changes nothing more: each action says
 * what a run is to be. True: there may be more.
 */
export async function runBulkJobs(db: Db, engine: JobEngine): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const job = await lockOpenJob(trx, BATCH);
    if (!job) return false;
    const outcomes: ItemOutcome[] = [];
    for (let at = 0; at < job.items.length; at += ABREAST) {
      const some = job.items.slice(at, at + ABREAST);
      outcomes.push(...(await Promise.all(some.map((item) => doItem(engine, job, item)))));
    }
    await recordItems(trx, job.id, outcomes);
    return true;
  });
}

async function doItem(
  engine: JobEngine,
  job: OpenJob,
  { seq, runId }: { seq: number; runId: number },
): Promise<ItemOutcome> {
  const refusal = await act(engine, job, runId).catch((error: unknown) => String(error));
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
  { action, spec, created_by: actor }: OpenJob,
  runId: number,
): Promise<string | null> {
  if (action === 'cancel') {
    const result = await engine.cancelRun(runId, actor);
    return result === 'cancelled' ? null : (REFUSALS[result] ?? result);
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

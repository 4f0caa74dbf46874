/** What becomes of scheduled runs that are due while those before them have not ended. */
import type { Overlap } from '#sdk/dag-spec.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { liveRunsBefore, recordSkippedSlot, type LiveRun } from '#db/queries/run-rules.ts';
import type { DueDag } from '#db/queries/schedule.ts';

/** Pure. `live`: the DAG's scheduled runs before this one that are queued or running. */
export function judgeOverlap(overlap: Overlap, live: readonly LiveRun[]): 'create' | 'skip' | 'cancel' {
  if (live.length === 0 || overlap === 'allow') return 'create';
  if (overlap === 'cancel_running') return 'cancel';
  if (overlap === 'skip') return 'skip';
  return live.some((run) => run.state === 'queued') ? 'skip' : 'create';
}

/**
 * Those of the due DAGs that get their run now. Runs in the way of a newer one are cancelled first: a scheduler that dies in between
 * finds the slot still due.
 */
export async function applyOverlap(db: Db, engine: Pick<Engine, 'endRun'>, due: DueDag[]): Promise<DueDag[]> {
  const strict = due.filter((dag) => dag.overlap !== 'allow');
  if (strict.length === 0) return due;
  const live = await liveRunsBefore(
    db,
    strict.map((dag) => ({ dagId: dag.id, logicalDate: dag.next_logical_date })),
  );
  const skipped = new Set<number>();
  for (const dag of strict) {
    const runs = live.filter((run) => run.dagId === dag.id);
    const verdict = judgeOverlap(dag.overlap, runs);
    const date = dag.next_logical_date.toISOString();
    if (verdict === 'skip') {
      skipped.add(dag.id);
      const why = `No run for ${date}: run ${runs[0]?.runId} had not ended, and overlap is '${dag.overlap}'.`;
      await recordSkippedSlot(db, dag.id, dag.next_logical_date, why);
    }
    if (verdict === 'cancel') await cancelAll(engine, runs, `The run for ${date} took its place.`);
  }
  return due.filter((dag) => !skipped.has(dag.id));
}

async function cancelAll(engine: Pick<Engine, 'endRun'>, runs: LiveRun[], reason: string): Promise<void> {
  for (const { runId } of runs)
    await engine.endRun({ runId, as: 'cancelled', rest: 'cancelled', actor: 'schedule', cause: 'cancelled', reason });
}

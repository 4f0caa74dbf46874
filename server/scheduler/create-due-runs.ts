import { nextRun } from '#sdk/timetable.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { applyOverlap } from './overlap.ts';
import { dueDags, millisecondsToNextRun, storeNextSlots, type DueDag, type NextSlot } from '#db/queries/schedule.ts';

const BATCH = 500;
/** DAGs that are due but held back by their queued runs must not make the loop spin. */
const LEAST_SLEEP_MS = 200;

/** Creates the runs that timetables want by now. Creates first, moves on after: a crash between gives the same run again, never none. */
export async function createDueRuns(db: Db, engine: Engine): Promise<number> {
  const due = await dueDags(db, BATCH);
  if (due.length === 0) return Math.max(LEAST_SLEEP_MS, (await millisecondsToNextRun(db)) ?? Infinity);
  const wanted = await applyOverlap(db, engine, due);
  await engine.createRuns(
    wanted.map((dag) => ({
      dagId: dag.id,
      versionId: dag.version_id,
      kind: 'scheduled' as const,
      logicalDate: dag.next_logical_date,
      intervalStart: dag.next_interval_start,
      intervalEnd: dag.next_interval_end,
      triggeredBy: 'schedule',
    })),
  );
  await engine.versions.load(due.map((dag) => dag.version_id));
  const slots = due.map((dag) => nextSlot(dag, engine));
  await storeNextSlots(db, slots);
  return 0;
}

function nextSlot(dag: DueDag, engine: Engine): NextSlot {
  const version = engine.versions.get(dag.version_id);
  const next = version ? nextRun(version.timetable, dag.next_logical_date, dag.now) : null;
  return {
    dagId: dag.id,
    versionId: dag.version_id,
    from: dag.next_logical_date,
    runAt: next?.runAt ?? null,
    logicalDate: next?.logicalDate ?? null,
    intervalStart: next?.intervalStart ?? null,
    intervalEnd: next?.intervalEnd ?? null,
  };
}

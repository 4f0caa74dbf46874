import type { Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { DB } from '#db/types.ts';
import { tellChanged } from '#db/queries/backfill.ts';
import {
  endBackfills,
  lockOpenBackfills,
  nextDates,
  noteDates,
  recordEndedRuns,
  runsToCancel,
  type OpenBackfill,
} from '#db/queries/backfill-loop.ts';

const MOST_BACKFILLS = 20;
/** Dates looked at in one pass: of a range that has run before, all may be skipped. */
const MOST_DATES = 500;

type BackfillEngine = Pick<Engine, 'createRuns' | 'endRun'>;

/** One pass over all open backfills: what ended is recorded, the next dates get their runs. True: there is more to do at once. */
export async function runBackfills(db: Db, engine: BackfillEngine): Promise<boolean> {
  for (const { runId, backfillId } of await runsToCancel(db, MOST_DATES)) {
    const how = { as: 'cancelled', rest: 'cancelled', cause: 'cancelled', actor: 'backfill' } as const;
    await engine.endRun({ runId, ...how, reason: `Backfill ${backfillId} was cancelled.` });
  }
  const moved = new Set(await recordEndedRuns(db));
  const more = await db.transaction().execute(async (trx) => {
    let isMore = false;
    for (const backfill of await lockOpenBackfills(trx, MOST_BACKFILLS)) {
      isMore = (await advance({ db, trx, engine }, backfill)) || isMore;
      moved.add(backfill.id);
    }
    return isMore;
  });
  for (const id of moved) await tellChanged(db, id);
  const ended = await endBackfills(db);
  return more || ended.length > 0;
}

interface Advancing {
  db: Db;
  /** Holds the backfill, and writes nothing. */
  trx: Transaction<DB>;
  engine: BackfillEngine;
}

/**
 * The runs are made first and noted after: a crash between makes the same runs again, which are known by their key. True: there is more
 * to do at once.
 */
async function advance({ db, trx, engine }: Advancing, backfill: OpenBackfill): Promise<boolean> {
  const { take, skipped, more } = await nextDates(trx, backfill, MOST_DATES);
  const created = await engine.createRuns(
    take.map((date) => ({
      dagId: backfill.dag_id,
      versionId: backfill.version_id,
      kind: 'backfill' as const,
      runKey: `backfill__${backfill.id}__${date.logical_date.toISOString()}`,
      logicalDate: date.logical_date,
      intervalStart: date.interval_start,
      intervalEnd: date.interval_end,
      conf: backfill.conf,
      triggeredBy: backfill.created_by,
    })),
  );
  await noteDates(db, backfill.id, [
    ...take.map(({ seq }, i) => ({ seq, runId: created[i]?.runId ?? 0, outcome: null })),
    ...skipped.map((date) => ({ ...date, outcome: 'skipped' as const })),
  ]);
  return more || skipped.length > 0;
}

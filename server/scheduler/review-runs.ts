import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { startableDags } from '#db/queries/schedule.ts';
import { OVERDUE_RUNS } from '#db/queries/task-transitions/review-tasks.ts';

const BATCH = 10_000;

/** The net under everything that is woken by an event: nothing that could go on stands still for good. */
export async function reviewRuns(db: Db, pool: pg.Pool, engine: Engine): Promise<void> {
  const { rows } = await pool.query<{ id: number }>({ ...OVERDUE_RUNS, values: [0, BATCH] });
  if (rows.length > 0) await engine.reviewRuns(rows.map((row) => row.id));
  await engine.reviewGates();
  const dags = await startableDags(db);
  if (dags.length > 0) await engine.startRuns(dags);
}

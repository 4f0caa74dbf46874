import type pg from 'pg';
import type { Engine } from '#db/engine/engine.ts';
import { DUE_TASKS, NEXT_TIMER } from '#db/queries/task-transitions/wake-tasks.ts';

const BATCH = 500;

interface DueRow {
  run_id: number;
  task_index: number;
  map_index: number;
}

/** Queues the retries whose delay is over. */
export async function wakeRetries(pool: pg.Pool, engine: Engine): Promise<number> {
  const { rows } = await pool.query<DueRow>({ ...DUE_TASKS, values: [BATCH] });
  if (rows.length > 0) {
    await engine.wakeTasks(
      rows.map((row) => ({ runId: row.run_id, taskIndex: row.task_index, mapIndex: row.map_index })),
    );
    return rows.length === BATCH ? 0 : 1;
  }
  const { rows: next } = await pool.query<{ ms: number | null }>(NEXT_TIMER);
  return Math.max(1, next[0]?.ms ?? Infinity);
}

import type pg from 'pg';
import type { Engine } from '#db/engine/engine.ts';
import { DUE_GATES, NEXT_GATE_TIMER } from '#db/queries/task-transitions/gate-statements.ts';

const BATCH = 500;

/** Lets tasks pass whose rate has a token again. Returns the milliseconds until the next one has. */
export async function wakeGates(pool: pg.Pool, engine: Pick<Engine, 'wakeGates'>): Promise<number> {
  const { rows } = await pool.query<{ gate: string }>({ ...DUE_GATES, values: [BATCH] });
  if (rows.length > 0) {
    await engine.wakeGates(rows.map((row) => row.gate));
    return rows.length === BATCH ? 0 : 1;
  }
  const { rows: next } = await pool.query<{ ms: number | null }>(NEXT_GATE_TIMER);
  return Math.max(1, next[0]?.ms ?? Infinity);
}

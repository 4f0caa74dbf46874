import type pg from 'pg';
import { waitFor } from './wait-for.ts';

/** Something locked while calls pile up behind it. */
export interface Gate {
  text: string;
  values: unknown[];
}

export const runGate = (runId: number): Gate => ({
  text: 'select from dag_run where id = $1 for update',
  values: [runId],
});
export const dagGate = (dagId: number): Gate => ({
  text: 'select from dag where id = $1 for no key update',
  values: [dagId],
});
export const taskGate = (runId: number, taskIndex: number): Gate => ({
  text: 'select from task_instance where run_id = $1 and task_index = $2 for update',
  values: [runId, taskIndex],
});

async function waiting(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows[0]?.n ?? 0;
}

/**
 * Makes calls meet: each starts once the one before stands at the gate, then it opens and they pass in that order. A call that needs no
 * lock behind the gate ends before the next starts.
 */
export async function meet<T extends unknown[]>(
  pool: pg.Pool,
  gate: Gate,
  calls: { [K in keyof T]: () => Promise<T[K]> },
): Promise<T> {
  const client = await pool.connect();
  const results: Promise<unknown>[] = [];
  try {
    await client.query('begin');
    await client.query(gate.text, gate.values);
    let standing = 0;
    for (const call of calls) {
      const result = call();
      let ended = false;
      const end = () => (ended = true);
      result.then(end, end);
      results.push(result);
      await waitFor(async () => ended || (await waiting(pool)) > standing, { what: 'a call to reach the gate' });
      if (!ended) standing++;
    }
  } finally {
    await client.query('commit');
    client.release();
  }
  return (await Promise.all(results)) as T;
}

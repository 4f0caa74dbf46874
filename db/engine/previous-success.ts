/** The newest successful run before a run: what `prev_data_interval_end_success` and its like tell. */
import type pg from 'pg';
import type { PreviousSuccess } from '#sdk/protocol.ts';

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** By run id; one query, and none when no run is asked for. A run without a logical date has the newest success of all before it. */
export async function loadPreviousSuccess(
  pool: pg.Pool,
  runIds: readonly number[],
): Promise<ReadonlyMap<number, PreviousSuccess>> {
  const found = new Map<number, PreviousSuccess>();
  if (runIds.length === 0) return found;
  const { rows } = await pool.query<{
    id: number;
    interval_start: Date | null;
    interval_end: Date | null;
    started_at: Date | null;
    ended_at: Date | null;
  }>({
    name: 'load_previous_success',
    text: `select r.id, p.interval_start, p.interval_end, p.started_at, p.ended_at from dag_run r,
      lateral (select * from dag_run p where p.dag_id = r.dag_id and p.state = 'success' and p.id <> r.id
        and (r.logical_date is null or p.logical_date < r.logical_date)
        order by p.logical_date desc nulls last, p.id desc limit 1) p
      where r.id = any ($1::bigint[])`,
    values: [runIds],
  });
  for (const row of rows)
    found.set(row.id, {
      dataIntervalStart: iso(row.interval_start),
      dataIntervalEnd: iso(row.interval_end),
      startedAt: iso(row.started_at),
      endedAt: iso(row.ended_at),
    });
  return found;
}

/** When a DAG's timetable wants its next run. */
import { sql, type Transaction } from 'kysely';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { nextRun } from '#sdk/timetable.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';

/** Computes the DAG's next run after its newest scheduled one, by the database's clock. The caller holds the dag's row. */
export async function scheduleNextRun(trx: Transaction<DB>, dagId: number, spec: DagSpec): Promise<void> {
  const { now, last } = await sql<{ now: Date; last: Date | null }>`
    select clock_timestamp() as now,
      (select max(logical_date) from dag_run where dag_id = ${dagId} and kind = 'scheduled') as last`
    .execute(trx)
    .then((result) => result.rows[0] ?? { now: new Date(), last: null });
  const next = nextRun(spec, last, now);
  await trx
    .updateTable('dag')
    .set({
      next_run_at: next?.runAt ?? null,
      next_logical_date: next?.logicalDate ?? null,
      next_interval_start: next?.intervalStart ?? null,
      next_interval_end: next?.intervalEnd ?? null,
    })
    .where('id', '=', dagId)
    .execute();
}

export interface DueDag {
  id: number;
  version_id: number;
  next_run_at: Date;
  next_logical_date: Date;
  next_interval_start: Date;
  next_interval_end: Date;
  now: Date;
}

/** DAGs whose next run is due, locked against other schedulers until the transaction ends. */
export async function lockDueDags(trx: Transaction<DB>, limit: number): Promise<DueDag[]> {
  const { rows } = await sql<DueDag>`
    select id, version_id, next_run_at, next_logical_date, next_interval_start, next_interval_end, clock_timestamp() as now
    from dag where next_run_at <= clock_timestamp() and not paused and active and version_id is not null
    order by next_run_at limit ${limit} for update skip locked`.execute(trx);
  return rows;
}

export interface NextSlot {
  dagId: number;
  runAt: Date | null;
  logicalDate: Date | null;
  intervalStart: Date | null;
  intervalEnd: Date | null;
}

/** Moves many DAGs to their next slot in one statement. */
export async function storeNextSlots(trx: Transaction<DB>, slots: NextSlot[]): Promise<void> {
  const column = <T>(pick: (slot: NextSlot) => T) => slots.map(pick);
  await sql`
    update dag d set next_run_at = f.run_at, next_logical_date = f.logical_date, next_interval_start = f.interval_start, next_interval_end = f.interval_end
    from unnest(${column((slot) => slot.dagId)}::bigint[], ${column((slot) => slot.runAt)}::timestamptz[], ${column((slot) => slot.logicalDate)}::timestamptz[],
      ${column((slot) => slot.intervalStart)}::timestamptz[], ${column((slot) => slot.intervalEnd)}::timestamptz[])
      f(id, run_at, logical_date, interval_start, interval_end)
    where d.id = f.id`.execute(trx);
}

/** Milliseconds until the next DAG is due; null: none is. */
export async function millisecondsToNextRun(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(next_run_at) - clock_timestamp()) * 1000)::float8 as ms
    from dag where next_run_at is not null and not paused and active`.execute(db);
  return rows[0]?.ms ?? null;
}

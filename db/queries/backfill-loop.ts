/** What the scheduler's loop reads and writes of backfills. */
import { sql, type Transaction } from 'kysely';
import { decideDate, type Reprocess } from '#sdk/backfill.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { newestRunsOf, tellChanged } from './backfill.ts';

/** Dates of open backfills whose run has ended get its state. Looks at live dates only. Returns the backfills that moved. */
export async function recordEndedRuns(db: Db): Promise<number[]> {
  const { rows } = await sql<{ backfill_id: number }>`
    with ended as (
      update backfill_date d set outcome = r.state::text from backfill b, dag_run r
      where b.ended_at is null and d.backfill_id = b.id and d.run_id is not null and d.outcome is null
        and r.id = d.run_id and r.state in ('success', 'failed', 'cancelled')
      returning d.backfill_id)
    select distinct backfill_id from ended`.execute(db);
  return rows.map((row) => row.backfill_id);
}

/** Those that nobody else works on now get to the end of what is known: no date is pending or live. Returns them. */
export async function endBackfills(db: Db): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    update backfill b set ended_at = now(), state = case when b.state = 'running' then 'completed' else b.state end
    where b.ended_at is null and b.state in ('running', 'cancelled')
      and not exists (select from backfill_date d where d.backfill_id = b.id and d.outcome is null)
    returning b.id`.execute(db);
  for (const { id } of rows) await tellChanged(db, id);
  return rows.map((row) => row.id);
}

export interface OpenBackfill {
  id: number;
  dag_id: number;
  version_id: number;
  reprocess: Reprocess;
  conf: { [key: string]: Json } | null;
  created_by: string;
  /** How many more of its runs may be under way. */
  room: number;
}

/** Locked: what another scheduler works on is left out. */
export async function lockOpenBackfills(trx: Transaction<DB>, most: number): Promise<OpenBackfill[]> {
  const { rows } = await sql<OpenBackfill>`
    select b.id, b.dag_id, b.version_id, b.reprocess, b.conf, b.created_by,
      b.max_active_runs - (select count(*)::int from backfill_date d where d.backfill_id = b.id and d.run_id is not null and d.outcome is null) as room
    from backfill b where b.ended_at is null and b.state = 'running'
      and exists (select from backfill_date d where d.backfill_id = b.id and d.run_id is null and d.outcome is null)
    order by b.id limit ${most} for update of b skip locked`.execute(trx);
  return rows.filter(({ room }) => room > 0);
}

export interface PendingDate {
  seq: number;
  logical_date: Date;
  interval_start: Date;
  interval_end: Date;
}

/**
 * The next dates of a locked backfill that get a run. Those for which there is a run that stands in the way are settled on the way:
 * a run under way is never doubled.
 */
export async function takeDates(
  trx: Transaction<DB>,
  { id, dag_id: dagId, reprocess }: OpenBackfill,
  most: number,
): Promise<{ take: PendingDate[]; looked: number }> {
  const { rows } = await sql<PendingDate>`
    select seq, logical_date, interval_start, interval_end from backfill_date
    where backfill_id = ${id} and run_id is null and outcome is null order by seq limit ${most}`.execute(trx);
  const newest = await newestRunsOf(
    trx,
    dagId,
    rows.map((row) => row.logical_date),
  );
  const take: PendingDate[] = [];
  const skipped: { seq: number; runId: number }[] = [];
  rows.forEach((row, i) => {
    const decision = decideDate(newest[i]?.state ?? null, reprocess);
    if (decision === 'create' || decision === 'rerun') take.push(row);
    else skipped.push({ seq: row.seq, runId: newest[i]?.id ?? 0 });
  });
  if (skipped.length > 0)
    await sql`
      update backfill_date d set outcome = 'skipped', run_id = s.run_id
      from unnest(${skipped.map(({ seq }) => seq)}::int[], ${skipped.map(({ runId }) => runId)}::bigint[]) s(seq, run_id)
      where d.backfill_id = ${id} and d.seq = s.seq`.execute(trx);
  return { take, looked: rows.length };
}

export async function linkRuns(
  trx: Transaction<DB>,
  id: number,
  dates: readonly PendingDate[],
  runIds: readonly number[],
): Promise<void> {
  await sql`
    update backfill_date d set run_id = s.run_id from unnest(${dates.map(({ seq }) => seq)}::int[], ${runIds}::bigint[]) s(seq, run_id)
    where d.backfill_id = ${id} and d.seq = s.seq`.execute(trx);
}

/** Runs of cancelled backfills that are still under way. */
export async function runsToCancel(db: Db, most: number): Promise<{ runId: number; backfillId: number }[]> {
  const { rows } = await sql<{ run_id: number; backfill_id: number }>`
    select d.run_id, d.backfill_id from backfill b join backfill_date d on d.backfill_id = b.id
    where b.ended_at is null and b.state = 'cancelled' and d.run_id is not null and d.outcome is null limit ${most}`.execute(
    db,
  );
  return rows.map((row) => ({ runId: row.run_id, backfillId: row.backfill_id }));
}

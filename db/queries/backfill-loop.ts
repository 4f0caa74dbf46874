/** What the scheduler's loop reads and writes of backfills. */
import { sql, type Transaction } from 'kysely';
import { decideDate, type Reprocess } from '#sdk/backfill.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { newestRunsOf, tellChanged } from './backfill.ts';
import { tryLock } from './first-locked.ts';

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

const LOCKS = 7_264_004;

/**
 * Those that may have further runs now, and that nobody else works on: ours until the transaction ends. Not by row locks, which would give
 * the transaction an id: readers of the event log wait for every transaction that has one.
 */
export async function lockOpenBackfills(trx: Transaction<DB>, most: number): Promise<OpenBackfill[]> {
  const locked: number[] = [];
  for (const { id } of await openBackfills(trx, most)) if (await tryLock(trx, LOCKS, id)) locked.push(id);
  // Read again: who had one before may have gone on with it
  return locked.length === 0 ? [] : openBackfills(trx, most, locked);
}

async function openBackfills(trx: Transaction<DB>, most: number, ids: number[] | null = null): Promise<OpenBackfill[]> {
  const { rows } = await sql<OpenBackfill>`
    select b.id, b.dag_id, b.version_id, b.reprocess, b.conf, b.created_by, b.max_active_runs - l.live as room
    from backfill b, lateral (
      select count(*)::int as live from backfill_date d where d.backfill_id = b.id and d.run_id is not null and d.outcome is null) l
    where b.ended_at is null and b.state = 'running' and l.live < b.max_active_runs and (${ids}::bigint[] is null or b.id = any(${ids}::bigint[]))
      and exists (select from backfill_date d where d.backfill_id = b.id and d.run_id is null and d.outcome is null)
    order by b.id limit ${most}`.execute(trx);
  return rows;
}

export interface PendingDate {
  seq: number;
  logical_date: Date;
  interval_start: Date;
  interval_end: Date;
}

export interface NextDates {
  /** Get a run. */
  take: PendingDate[];
  /** There is a run that stands in the way: one under way is never doubled. */
  skipped: { seq: number; runId: number }[];
  /** There may be more that get one, or none, at once. */
  more: boolean;
}

/** The next dates of a locked backfill, in order, until as many are found as it has room for. Looks at `most`. */
export async function nextDates(
  trx: Transaction<DB>,
  { id, dag_id: dagId, reprocess, room }: OpenBackfill,
  most: number,
): Promise<NextDates> {
  const { rows } = await sql<PendingDate>`
    select seq, logical_date, interval_start, interval_end from backfill_date
    where backfill_id = ${id} and run_id is null and outcome is null order by seq limit ${most}`.execute(trx);
  const newest = await newestRunsOf(
    trx,
    dagId,
    rows.map((row) => row.logical_date),
  );
  const next: NextDates = { take: [], skipped: [], more: rows.length === most };
  for (const [i, row] of rows.entries()) {
    if (next.take.length === room) return { ...next, more: false };
    const decision = decideDate(newest[i]?.state ?? null, reprocess);
    if (decision === 'create' || decision === 'rerun') next.take.push(row);
    else next.skipped.push({ seq: row.seq, runId: newest[i]?.id ?? 0 });
  }
  return next;
}

/** Which run each date has now; of a skipped one the run that was there. */
export async function noteDates(
  db: Db,
  id: number,
  dates: readonly { seq: number; runId: number; outcome: 'skipped' | null }[],
): Promise<void> {
  if (dates.length === 0) return;
  await sql`
    update backfill_date d set run_id = s.run_id, outcome = s.outcome
    from unnest(${dates.map(({ seq }) => seq)}::int[], ${dates.map(({ runId }) => runId)}::bigint[], ${dates.map(({ outcome }) => outcome)}::text[])
      s(seq, run_id, outcome)
    where d.backfill_id = ${id} and d.seq = s.seq`.execute(db);
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

/** Backfills: ranges of dates that a person wants run, again or for the first time. */
import { sql, type Selectable, type Transaction } from 'kysely';
import type { Reprocess } from '#sdk/backfill.ts';
import type { Json } from '#sdk/protocol.ts';
import type { RunState } from '#sdk/states.ts';
import type { NextRun } from '#sdk/timetable.ts';
import type { Db } from '#db/client.ts';
import type { Backfill, DB } from '#db/types.ts';
import { recordAudit } from './audit.ts';
import type { KeysetPage } from './keyset.ts';

export type BackfillRow = Selectable<Backfill>;

export interface NewBackfill {
  dagId: number;
  versionId: number;
  from: Date;
  to: Date;
  reprocess: Reprocess;
  maxActiveRuns: number;
  backwards: boolean;
  conf: { [key: string]: Json } | null;
  note: string | null;
  /** In the order of time. */
  dates: readonly NextRun[];
  actor: string;
}

export async function createBackfill(db: Db, backfill: NewBackfill): Promise<BackfillRow> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('backfill')
      .values({
        dag_id: backfill.dagId,
        version_id: backfill.versionId,
        from_date: backfill.from,
        to_date: backfill.to,
        reprocess: backfill.reprocess,
        max_active_runs: backfill.maxActiveRuns,
        backwards: backfill.backwards,
        conf: backfill.conf === null ? null : JSON.stringify(backfill.conf),
        note: backfill.note,
        created_by: backfill.actor,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const dates = backfill.backwards ? backfill.dates.toReversed() : backfill.dates;
    await sql`
      insert into backfill_date (backfill_id, seq, logical_date, interval_start, interval_end)
      select ${row.id}, n, logical_date, interval_start, interval_end from unnest(${dates.map((one) => one.logicalDate)}::timestamptz[],
        ${dates.map((one) => one.intervalStart)}::timestamptz[], ${dates.map((one) => one.intervalEnd)}::timestamptz[])
        with ordinality d(logical_date, interval_start, interval_end, n)`.execute(trx);
    const detail = { dates: dates.length, from: backfill.from.toISOString(), to: backfill.to.toISOString() };
    await recordAudit(trx, { actor: backfill.actor, action: 'backfill.create', object: `backfill ${row.id}`, detail });
    await tellChanged(trx, row.id);
    return row;
  });
}

/** Who watches it, and the scheduler's loop. */
export async function tellChanged(db: Db | Transaction<DB>, id: number): Promise<void> {
  await sql`select pg_notify('millrace_job', ${`backfill ${id}`})`.execute(db);
}

export type BackfillState = 'running' | 'paused' | 'cancelled';

/** False: it has ended, or there is none. */
export async function setBackfillState(db: Db, id: number, state: BackfillState, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('backfill')
      .set({ state })
      .where('id', '=', id)
      .where('state', 'in', ['running', 'paused'])
      .returning('id')
      .executeTakeFirst();
    if (!row) return false;
    if (state === 'cancelled')
      await sql`update backfill_date set outcome = 'cancelled' where backfill_id = ${id} and run_id is null and outcome is null`.execute(
        trx,
      );
    await recordAudit(trx, { actor, action: `backfill.${state}`, object: `backfill ${id}` });
    await tellChanged(trx, id);
    return true;
  });
}

export const findBackfills = (db: Db, ids: readonly number[]): Promise<BackfillRow[]> =>
  db.selectFrom('backfill').selectAll().where('id', 'in', ids).execute();

/** Newest first. */
export function listBackfills(db: Db, dagId: number | null, page: KeysetPage<number>): Promise<BackfillRow[]> {
  return db
    .selectFrom('backfill')
    .selectAll()
    .$if(dagId !== null, (query) => query.where('dag_id', '=', dagId ?? 0))
    .$if(page.after !== undefined, (query) => query.where('id', '<', page.after ?? 0))
    .$if(page.before !== undefined, (query) => query.where('id', '>', page.before ?? 0))
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

export interface BackfillProgress {
  total: number;
  pending: number;
  running: number;
  success: number;
  failed: number;
  cancelled: number;
  skipped: number;
}

export async function readProgress(db: Db, ids: readonly number[]): Promise<Map<number, BackfillProgress>> {
  const { rows } = await sql<BackfillProgress & { id: number }>`
    select backfill_id as id, count(*)::int as total, count(*) filter (where outcome is null and run_id is null)::int as pending,
      count(*) filter (where outcome is null and run_id is not null)::int as running, count(*) filter (where outcome = 'success')::int as success,
      count(*) filter (where outcome = 'failed')::int as failed, count(*) filter (where outcome = 'cancelled')::int as cancelled,
      count(*) filter (where outcome = 'skipped')::int as skipped
    from backfill_date where backfill_id = any(${ids}::bigint[]) group by backfill_id`.execute(db);
  return new Map(rows.map(({ id, ...progress }) => [id, progress]));
}

export interface BackfillDateRow {
  seq: number;
  logical_date: Date;
  interval_start: Date;
  interval_end: Date;
  run_id: number | null;
  outcome: string | null;
}

export async function listBackfillDates(db: Db, id: number, page: KeysetPage<number>): Promise<BackfillDateRow[]> {
  return db
    .selectFrom('backfill_date')
    .select(['seq', 'logical_date', 'interval_start', 'interval_end', 'run_id', 'outcome'])
    .where('backfill_id', '=', id)
    .$if(page.after !== undefined, (query) => query.where('seq', '>', page.after ?? 0))
    .$if(page.before !== undefined, (query) => query.where('seq', '<', page.before ?? 0))
    .orderBy('seq', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

/** State and id of the newest run of each date; in the order of the dates. */
export async function newestRunsOf(
  db: Db | Transaction<DB>,
  dagId: number,
  dates: readonly Date[],
): Promise<({ id: number; state: RunState } | null)[]> {
  const { rows } = await sql<{ n: number; id: number; state: RunState }>`
    select d.n::int as n, r.id, r.state from unnest(${dates}::timestamptz[]) with ordinality d(logical_date, n),
    lateral (
      select id, state from (
        (select id, state from dag_run where dag_id = ${dagId} and logical_date = d.logical_date and kind = 'scheduled')
        union all
        (select id, state from dag_run where dag_id = ${dagId} and logical_date = d.logical_date and kind <> 'scheduled' order by id desc limit 1)) r
      order by id desc limit 1) r`.execute(db);
  const found: ({ id: number; state: RunState } | null)[] = dates.map(() => null);
  for (const { n, id, state } of rows) found[n - 1] = { id, state };
  return found;
}

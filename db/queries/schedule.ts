/** When a DAG's timetable wants its next run. */
import { sql, type Selectable, type Transaction } from 'kysely';
import { canonicalJson } from '#sdk/canonical.ts';
import type { DagSpec, Overlap } from '#sdk/dag-spec.ts';
import { resumeRuns, upcomingRuns, type NextRun, type Timing } from '#sdk/timetable.ts';
import type { Db } from '#db/client.ts';
import type { Dag, DB } from '#db/types.ts';

/**
 * Schedules a DAG from now on, by the database's clock: it is new, un-paused, has another timetable, or its run has ended (continuous).
 * The caller holds the dag's row.
 */
export async function scheduleNextRun(trx: Transaction<DB>, dagId: number, timing: Timing): Promise<void> {
  const next = await resumedRun(trx, dagId, timing);
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

/** The first run of a DAG that is scheduled from now on. */
async function resumedRun(db: Db, dagId: number, timing: Timing): Promise<NextRun | null> {
  const { rows } = await sql<{ now: Date; last: Date | null; live: boolean }>`
    select clock_timestamp() as now, (select max(logical_date) from dag_run where dag_id = ${dagId} and kind = 'scheduled') as last,
      exists (select from dag_run where dag_id = ${dagId} and state = 'queued' and kind = 'scheduled')
        or exists (select from dag_run where dag_id = ${dagId} and state = 'running' and kind = 'scheduled') as live`.execute(
    db,
  );
  const { now, last, live } = rows[0] ?? { now: new Date(), last: null, live: false };
  const waitsForEnd = live && timing.schedule?.kind === 'continuous';
  return waitsForEnd ? null : resumeRuns(timing, last, now);
}

/** What is coming by the clock; of a paused DAG: if it were un-paused now. */
export async function readNextRuns(db: Db, dag: Selectable<Dag>, timing: Timing, count: number): Promise<NextRun[]> {
  const first = dag.paused ? await resumedRun(db, dag.id, timing) : plannedRun(dag);
  return upcomingRuns(timing, dag.active ? first : null, count, new Date());
}

function plannedRun(dag: Selectable<Dag>): NextRun | null {
  const { next_run_at, next_logical_date, next_interval_start, next_interval_end } = dag;
  if (!next_run_at || !next_logical_date || !next_interval_start || !next_interval_end) return null;
  return {
    runAt: next_run_at,
    logicalDate: next_logical_date,
    intervalStart: next_interval_start,
    intervalEnd: next_interval_end,
  };
}

/** True: the timetable of this version makes the runs that `spec` wants. */
export async function hasSameTiming(trx: Transaction<DB>, versionId: number, spec: DagSpec): Promise<boolean> {
  const { rows } = await sql<{ head: Timing }>`
    select spec - 'tasks' as head from dag_version where id = ${versionId}`.execute(trx);
  return rows[0] !== undefined && timingKey(rows[0].head) === timingKey(spec);
}

const timingKey = ({ schedule, timezone, startDate, endDate, catchup, dataIntervals = false }: Timing): string =>
  canonicalJson({ schedule, timezone, startDate, endDate, catchup, dataIntervals });

export interface DueDag {
  id: number;
  version_id: number;
  overlap: Overlap;
  next_run_at: Date;
  next_logical_date: Date;
  next_interval_start: Date;
  next_interval_end: Date;
  now: Date;
}

/** Runs created ahead of max_active_runs, so that a long catch-up does not fill the table at once. */
const MOST_QUEUED = 16;

/** DAGs whose next run is due. Not locked: creating a slot's run twice gives the same run, and moving on is conditional. */
export async function dueDags(db: Db, limit: number): Promise<DueDag[]> {
  const { rows } = await sql<DueDag>`
    select id, version_id, overlap, next_run_at, next_logical_date, next_interval_start, next_interval_end, clock_timestamp() as now
    from dag d where next_run_at <= clock_timestamp() and not paused and active and version_id is not null
      and (select count(*) from (select from dag_run where dag_id = d.id and state = 'queued' limit ${MOST_QUEUED}) q) < ${MOST_QUEUED}
    order by next_run_at limit ${limit}`.execute(db);
  return rows;
}

export interface NextSlot {
  dagId: number;
  /** The version whose timetable has spoken, and the slot that is done: the DAG moves on only from there. */
  versionId: number;
  from: Date;
  runAt: Date | null;
  logicalDate: Date | null;
  intervalStart: Date | null;
  intervalEnd: Date | null;
}

/** Moves many DAGs to their next slot in one statement. */
export async function storeNextSlots(db: Db, slots: NextSlot[]): Promise<void> {
  const column = <T>(pick: (slot: NextSlot) => T) => slots.map(pick);
  await sql`
    update dag d set next_run_at = f.run_at, next_logical_date = f.logical_date, next_interval_start = f.interval_start, next_interval_end = f.interval_end
    from unnest(${column((slot) => slot.dagId)}::bigint[], ${column((slot) => slot.versionId)}::bigint[], ${column((slot) => slot.from)}::timestamptz[],
      ${column((slot) => slot.runAt)}::timestamptz[], ${column((slot) => slot.logicalDate)}::timestamptz[],
      ${column((slot) => slot.intervalStart)}::timestamptz[], ${column((slot) => slot.intervalEnd)}::timestamptz[])
      f(id, version_id, done, run_at, logical_date, interval_start, interval_end)
    where d.id = f.id and d.version_id = f.version_id and d.next_logical_date = f.done`.execute(db);
}

/** DAGs with queued runs and room for one more to run. */
export async function startableDags(db: Db): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    select d.id from dag d
    where not d.paused and exists (select from dag_run where dag_id = d.id and state = 'queued')
      and (select count(*) from (select from dag_run where dag_id = d.id and state = 'running' limit d.max_active_runs) q) < d.max_active_runs
    limit 1000`.execute(db);
  return rows.map((row) => row.id);
}

/** Milliseconds until the next DAG is due; null: none is. */
export async function millisecondsToNextRun(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(next_run_at) - clock_timestamp()) * 1000)::float8 as ms
    from dag where next_run_at is not null and not paused and active`.execute(db);
  return rows[0]?.ms ?? null;
}

/** Bulk jobs: what a person wants done to many runs, one after the other, by the scheduler. */
import { sql, type Selectable, type Transaction } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { RunKind, RunState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { BulkJob, DB } from '#db/types.ts';
import { recordAudit } from './audit.ts';
import { firstLocked } from './first-locked.ts';
import type { KeysetPage } from './keyset.ts';

export type BulkJobRow = Selectable<BulkJob>;
export type BulkAction = 'clear' | 'mark' | 'cancel';

/** What is done to each run; the fields of an edit, for clear and mark. */
export interface BulkSpec {
  taskIds: string[] | null;
  mapIndexes: number[] | null;
  upstream: boolean;
  downstream: boolean;
  onlyFailed: boolean;
  /** For mark. */
  state: 'success' | 'failed' | 'skipped' | null;
}

/** Which runs. Either ids, or all that every given word applies to. */
export interface RunSelection {
  runIds: number[] | null;
  dagId: number | null;
  states: RunState[] | null;
  kinds: RunKind[] | null;
  /** Logical dates, both included. */
  from: Date | null;
  to: Date | null;
}

/** Ids of the runs, newest first; one more than `most` when there are more. */
export async function selectRuns(db: Db, selection: RunSelection, most: number): Promise<number[]> {
  const { runIds, dagId, states, kinds, from, to } = selection;
  const rows = await db
    .selectFrom('dag_run')
    .select('id')
    .$if(runIds !== null, (query) => query.where('id', 'in', runIds ?? []))
    .$if(dagId !== null, (query) => query.where('dag_id', '=', dagId ?? 0))
    .$if(states !== null, (query) => query.where('state', 'in', states ?? []))
    .$if(kinds !== null, (query) => query.where('kind', 'in', kinds ?? []))
    .$if(from !== null, (query) => query.where('logical_date', '>=', from))
    .$if(to !== null, (query) => query.where('logical_date', '<=', to))
    .orderBy('id', 'desc')
    .limit(most + 1)
    .execute();
  return rows.map((row) => row.id);
}

export interface NewBulkJob {
  action: BulkAction;
  spec: BulkSpec;
  runIds: readonly number[];
  actor: string;
}

export async function createBulkJob(db: Db, { action, spec, runIds, actor }: NewBulkJob): Promise<BulkJobRow> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('bulk_job')
      .values({ action, spec: JSON.stringify(spec), total: runIds.length, created_by: actor })
      .returningAll()
      .executeTakeFirstOrThrow();
    await sql`
      insert into bulk_job_item (job_id, seq, run_id)
      select ${row.id}, n, run_id from unnest(${runIds}::bigint[]) with ordinality i(run_id, n)`.execute(trx);
    const detail: { [key: string]: Json } = { runs: runIds.length };
    await recordAudit(trx, { actor, action: `bulk.${action}`, object: `bulk job ${row.id}`, detail });
    await tellJob(trx, row.id);
    return row;
  });
}

export async function tellJob(db: Db | Transaction<DB>, id: number): Promise<void> {
  await sql`select pg_notify('millrace_job', ${`bulk ${id}`})`.execute(db);
}

/** What is not done yet is left. False: it has ended, or there is none. */
export async function cancelBulkJob(db: Db, id: number, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('bulk_job')
      .set({ state: 'cancelled', ended_at: sql`now()` })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (!row) return false;
    await sql`update bulk_job_item set outcome = 'cancelled' where job_id = ${id} and outcome is null`.execute(trx);
    await recordAudit(trx, { actor, action: 'bulk.cancel_job', object: `bulk job ${id}` });
    await tellJob(trx, id);
    return true;
  });
}

export const findBulkJobs = (db: Db, ids: readonly number[]): Promise<BulkJobRow[]> =>
  db.selectFrom('bulk_job').selectAll().where('id', 'in', ids).execute();

/** Newest first. */
export function listBulkJobs(db: Db, page: KeysetPage<number>): Promise<BulkJobRow[]> {
  return db
    .selectFrom('bulk_job')
    .selectAll()
    .$if(page.after !== undefined, (query) => query.where('id', '<', page.after ?? 0))
    .$if(page.before !== undefined, (query) => query.where('id', '>', page.before ?? 0))
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

export interface JobProgress {
  done: number;
  refused: number;
  cancelled: number;
}

export async function readJobProgress(db: Db, ids: readonly number[]): Promise<Map<number, JobProgress>> {
  const { rows } = await sql<JobProgress & { id: number }>`
    select job_id as id, count(*) filter (where outcome = 'done')::int as done, count(*) filter (where outcome = 'refused')::int as refused,
      count(*) filter (where outcome = 'cancelled')::int as cancelled
    from bulk_job_item where job_id = any(${ids}::bigint[]) group by job_id`.execute(db);
  return new Map(rows.map(({ id, ...progress }) => [id, progress]));
}

export interface JobItemRow {
  seq: number;
  run_id: number;
  outcome: string | null;
  message: string | null;
}

export function listJobItems(
  db: Db,
  id: number,
  refusedOnly: boolean,
  page: KeysetPage<number>,
): Promise<JobItemRow[]> {
  return db
    .selectFrom('bulk_job_item')
    .select(['seq', 'run_id', 'outcome', 'message'])
    .where('job_id', '=', id)
    .$if(refusedOnly, (query) => query.where('outcome', '=', 'refused'))
    .$if(page.after !== undefined, (query) => query.where('seq', '>', page.after ?? 0))
    .$if(page.before !== undefined, (query) => query.where('seq', '<', page.before ?? 0))
    .orderBy('seq', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

export interface OpenJob {
  id: number;
  action: BulkAction;
  spec: BulkSpec;
  created_by: string;
  items: { seq: number; runId: number }[];
}

const LOCKS = 7_264_003;
/** So many schedulers may each have a job. */
const MOST_JOBS = 20;

/**
 * The oldest job that nobody else works on, with its next items; null: none. It is ours until the transaction ends. Not by a row lock,
 * which would give the transaction an id: readers of the event log wait for every transaction that has one.
 */
export async function lockOpenJob(trx: Transaction<DB>, most: number): Promise<OpenJob | null> {
  const { rows } = await sql<Omit<OpenJob, 'items'>>`
    select id, action, spec, created_by from bulk_job where ended_at is null order by id limit ${MOST_JOBS}`.execute(
    trx,
  );
  const job = await firstLocked(trx, LOCKS, rows);
  if (!job) return null;
  const items = await trx
    .selectFrom('bulk_job_item')
    .select(['seq', 'run_id as runId'])
    .where('job_id', '=', job.id)
    .where('outcome', 'is', null)
    .orderBy('seq')
    .limit(most)
    .execute();
  return { ...job, items };
}

export interface ItemOutcome {
  seq: number;
  outcome: 'done' | 'refused';
  message: string | null;
}

/** Ends the job with its last item. What was cancelled meanwhile stays so. */
export async function recordItems(db: Db, id: number, outcomes: readonly ItemOutcome[]): Promise<void> {
  await sql`
    update bulk_job_item i set outcome = o.outcome, message = o.message
    from unnest(${outcomes.map(({ seq }) => seq)}::int[], ${outcomes.map(({ outcome }) => outcome)}::text[], ${outcomes.map(({ message }) => message)}::text[])
      o(seq, outcome, message)
    where i.job_id = ${id} and i.seq = o.seq and i.outcome is null`.execute(db);
  await sql`
    update bulk_job set state = 'completed', ended_at = now()
    where id = ${id} and ended_at is null
      and not exists (select from bulk_job_item where job_id = ${id} and outcome is null)`.execute(db);
  await tellJob(db, id);
}

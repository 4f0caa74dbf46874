/** The places of the event log's consumers. */
import { sql, type Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import type { EventBody, EventCursor, EventRow } from './events.ts';

/** First half of the advisory locks by which consumers exclude each other; any constant does. */
const LOCKS = 7_264_002;
/** Below every run and every DAG: a cursor here lies before all events of its transaction. */
const LEAST_RUN = -Number.MAX_SAFE_INTEGER;

/** An event of a run, or (runId null) of a DAG. */
export interface ConsumedEvent {
  runId: number | null;
  dagId: number;
  /** Dense per run; per DAG for events of a DAG. */
  runSeq: number;
  at: Date;
  body: EventBody;
}

export interface ConsumerPlace {
  cursor: EventCursor;
  /** Events at once; null: as many as wanted. */
  most: number | null;
  failures: number;
}

interface PlaceRow {
  xid: string;
  run_id: number;
  run_seq: number;
  most: number | null;
  failures: number;
}

const placeOf = ({ xid, run_id: runId, run_seq: runSeq, most, failures }: PlaceRow): ConsumerPlace => ({
  cursor: { xid, runId, runSeq },
  most,
  failures,
});

/** A consumer that is new starts now: it gets every event of a transaction that has not ended yet. */
export async function registerConsumer(db: Db, name: string): Promise<void> {
  await sql`
    insert into event_consumer (name, xid, run_id, run_seq)
    select ${name}, pg_snapshot_xmin(pg_current_snapshot()), ${LEAST_RUN}, 0
    where not exists (select from event_consumer where name = ${name})
    on conflict (name) do nothing`.execute(db);
}

/** `readable`: there are events to handle. `pending`: there are some that may not be read yet, and no notification will come. */
export async function peekEvents(db: Db, name: string): Promise<{ readable: boolean; pending: boolean }> {
  const { rows } = await sql<{ readable: boolean; pending: boolean }>`
    select exists (select from event e where e.xid >= c.xid and (e.xid, e.run_id, e.run_seq) > (c.xid, c.run_id, c.run_seq) and e.xid < s.xmin) as readable,
      exists (select from event e where e.xid >= s.xmin) as pending
    from event_consumer c, (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s where c.name = ${name}`.execute(
    db,
  );
  return rows[0] ?? { readable: false, pending: false };
}

/**
 * True: nobody else handles this consumer's events until the transaction ends. Not a row lock: that would give the transaction an id
 * before it writes anything, and readers of the event log wait for every transaction that has one.
 */
export async function lockConsumer(trx: Transaction<DB>, name: string): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(${LOCKS}::int, hashtext(${name})) as locked`.execute(trx);
  return rows[0]?.locked ?? false;
}

/** A statement after the lock, so that it sees what the one before has committed. */
export async function readPlace(trx: Transaction<DB>, name: string): Promise<ConsumerPlace | undefined> {
  const { rows } = await sql<PlaceRow>`
    select xid::text as xid, run_id, run_seq, most, failures from event_consumer where name = ${name}`.execute(trx);
  return rows[0] && placeOf(rows[0]);
}

/** `to` has been handled. */
export async function moveConsumer(
  trx: Transaction<DB>,
  move: { name: string; to: EventCursor; most: number | null; skipped?: number },
): Promise<void> {
  const { name, to, most, skipped = 0 } = move;
  await sql`
    update event_consumer set xid = ${to.xid}::xid8, run_id = ${to.runId}, run_seq = ${to.runSeq}, most = ${most}, failures = 0,
      last_error = case when ${skipped} > 0 then last_error end, skipped = skipped + ${skipped}, moved_at = clock_timestamp()
    where name = ${name}`.execute(trx);
}

/** The events behind `from` could not be handled; nothing if somebody else has handled them meanwhile. */
export async function recordConsumerFailure(
  db: Db,
  failure: { name: string; from: EventCursor; most: number | null; failures: number; error: string },
): Promise<void> {
  const { name, from, most, failures, error } = failure;
  await sql`
    update event_consumer set most = ${most}, failures = ${failures}, last_error = ${error}
    where name = ${name} and (xid, run_id, run_seq) = (${from.xid}::xid8, ${from.runId}, ${from.runSeq})`.execute(db);
}

/** Events of runs that are gone (their DAG was deleted) are left out. */
export async function withDagIds(db: Db, rows: readonly EventRow[]): Promise<ConsumedEvent[]> {
  const runIds = [...new Set(rows.map((row) => row.run_id).filter((id) => id > 0))];
  const runs = await db
    .selectFrom('dag_run')
    .select(['id', 'dag_id'])
    .where('id', '=', sql<number>`any(${runIds}::bigint[])`)
    .execute();
  const dagOf = new Map(runs.map((run) => [run.id, run.dag_id]));
  return rows.flatMap((row) => {
    const dagId = row.run_id < 0 ? -row.run_id : dagOf.get(row.run_id);
    const runId = row.run_id < 0 ? null : row.run_id;
    return dagId === undefined ? [] : [{ runId, dagId, runSeq: row.run_seq, at: row.at, body: row.body }];
  });
}

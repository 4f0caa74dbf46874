/**
 * The event log, for reading. A run's rows are dense by run_seq and committed in that order, for their writer holds the run's row.
 * Across runs the order is (xid, run_id, run_seq), and a row may be read only when every transaction up to its xid has ended:
 * otherwise one that commits late would lie behind a cursor that has passed it.
 */
import { sql } from 'kysely';
import type { RunState, TaskState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';

export type TransitionTuple = [
  taskIndex: number,
  mapIndex: number,
  state: TaskState,
  tryNumber: number,
  cause?: string | null,
];

/** `skipped`: a run was due, and the one before had not ended. */
export type DagChange = 'deployed' | 'paused' | 'unpaused' | 'deleted' | 'deactivated' | 'skipped';

export interface EventBody {
  t?: TransitionTuple[];
  run?: RunState;
  dag?: DagChange;
  version?: number;
  by?: string;
  /** Why: of a run that was ended early the cause, of a change of a DAG a sentence. */
  why?: string;
}

export interface EventRow {
  xid: string;
  /** Below zero: minus the row id of a DAG. */
  run_id: number;
  run_seq: number;
  at: Date;
  body: EventBody;
}

/** A place in the global order. */
export interface EventCursor {
  xid: string;
  runId: number;
  runSeq: number;
}

export const EVENT_ORIGIN: EventCursor = { xid: '0', runId: 0, runSeq: 0 };

export const formatEventCursor = ({ xid, runId, runSeq }: EventCursor): string => `${xid}.${runId}.${runSeq}`;
export const cursorOfEvent = (row: EventRow): EventCursor => ({ xid: row.xid, runId: row.run_id, runSeq: row.run_seq });

const CURSOR = /^(\d{1,19})\.(-?\d{1,16})\.(\d{1,9})$/;

/** Null when it is not a cursor. */
export function parseEventCursor(text: string): EventCursor | null {
  const match = CURSOR.exec(text);
  return match && { xid: match[1] ?? '0', runId: Number(match[2]), runSeq: Number(match[3]) };
}

export function compareEventCursors(a: EventCursor, b: EventCursor): number {
  if (a.xid !== b.xid) return BigInt(a.xid) < BigInt(b.xid) ? -1 : 1;
  return a.runId - b.runId || a.runSeq - b.runSeq;
}

export async function readRunEvents(
  db: Db,
  range: { runId: number; after: number; upTo?: number; limit: number },
): Promise<EventRow[]> {
  let query = db
    .selectFrom('event')
    .select([sql<string>`xid::text`.as('xid'), 'run_id', 'run_seq', 'at', sql<EventBody>`body`.as('body')])
    .where('run_id', '=', range.runId)
    .where('run_seq', '>', range.after);
  if (range.upTo !== undefined) query = query.where('run_seq', '<=', range.upTo);
  return query.orderBy('run_seq').limit(range.limit).execute();
}

export interface EventBatch {
  rows: EventRow[];
  /** Rows are there that may not be read yet: look again soon, for no notification will come. */
  pending: boolean;
}

/** The next rows in the global order. */
export async function readEvents(
  db: Db,
  range: { after: EventCursor; upTo?: EventCursor; limit: number },
): Promise<EventBatch> {
  // Its own statement, ahead of the rows: what had ended then is seen by every later snapshot
  const horizon = await sql<{ xmin: string; pending: boolean }>`
    select s.xmin::text as xmin, exists (select from event where xid >= s.xmin) as pending
    from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s`.execute(db);
  const { xmin, pending } = horizon.rows[0] ?? { xmin: '0', pending: false };
  const { after, upTo } = range;
  const last = upTo ? sql`and (xid, run_id, run_seq) <= (${upTo.xid}::xid8, ${upTo.runId}, ${upTo.runSeq})` : sql``;
  const { rows } = await sql<EventRow>`
    select xid::text as xid, run_id, run_seq, at, body from event
    where xid >= ${after.xid}::xid8 and (xid, run_id, run_seq) > (${after.xid}::xid8, ${after.runId}, ${after.runSeq})
      and xid < ${xmin}::xid8 ${last}
    order by event.xid, run_id, run_seq limit ${range.limit}`.execute(db);
  return { rows, pending };
}

/** Where the readable log ends now. */
export async function readEventsEnd(db: Db): Promise<EventCursor> {
  const { rows } = await sql<EventRow>`
    select xid::text as xid, run_id, run_seq from event where xid < pg_snapshot_xmin(pg_current_snapshot())
    order by event.xid desc, run_id desc, run_seq desc limit 1`.execute(db);
  return rows[0] ? cursorOfEvent(rows[0]) : EVENT_ORIGIN;
}

/** False: the log no longer reaches back to this cursor, or never had it. */
export async function hasEvent(db: Db, cursor: EventCursor): Promise<boolean> {
  if (cursor.xid === EVENT_ORIGIN.xid) return true;
  const { rows } = await sql`
    select from event where run_id = ${cursor.runId} and run_seq = ${cursor.runSeq} and xid = ${cursor.xid}::xid8`.execute(
    db,
  );
  return rows.length > 0;
}

/** Names of the DAGs that rows of these run ids (or minus DAG ids) belong to. */
export async function findDagNames(db: Db, runIds: readonly number[]): Promise<Map<number, string>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await sql<{ run_id: number; name: string }>`
    select r.id as run_id, d.name from dag_run r join dag d on d.id = r.dag_id where r.id = any (${runIds}::bigint[])
    union all select -id, name from dag where -id = any (${runIds}::bigint[])`.execute(db);
  return new Map(rows.map((row) => [row.run_id, row.name]));
}

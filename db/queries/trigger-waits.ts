/** What deferred tasks wait for: found when due, moved on, woken by events. */
import { sql, type Transaction } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';

export interface WaitKey {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  uuid: string;
}

export interface DueWait extends WaitKey {
  kind: string;
  spec: { [key: string]: Json };
  /** Looks before this one. */
  polls: number;
  /** Seconds until its time is over; null: never. */
  secondsLeft: number | null;
  /** By the database's clock. */
  now: Date;
  /** When it comes again if nobody moves it on: names this look. */
  claimedUntil: string;
}

interface WaitRow {
  run_id: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
  kind: string;
  spec: { [key: string]: Json };
  polls: number;
  seconds_left: number | null;
  now: Date;
  claimed_until: string;
}

const dueWait = (row: WaitRow): DueWait => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
  uuid: row.dispatch_id,
  kind: row.kind,
  spec: row.spec,
  polls: row.polls - 1,
  secondsLeft: row.seconds_left,
  now: row.now,
  claimedUntil: row.claimed_until,
});

/** Takes waits whose time has come. Nobody else gets them for `leaseSeconds`: whoever dies over one only delays it. */
export async function claimDueWaits(db: Db, most: number, leaseSeconds: number): Promise<DueWait[]> {
  const { rows } = await sql<WaitRow>`
    with k as materialized (
      select ctid from trigger_wait where due_at <= clock_timestamp() order by due_at limit ${most} for update skip locked)
    update trigger_wait w set due_at = clock_timestamp() + ${leaseSeconds} * interval '1 second', polls = w.polls + 1
    from k where w.ctid = k.ctid
    returning w.run_id, w.task_index, w.map_index, w.dispatch_id, w.kind, w.spec, w.polls, clock_timestamp() as now,
      extract(epoch from w.timeout_at - clock_timestamp())::float8 as seconds_left, w.due_at::text as claimed_until`.execute(
    db,
  );
  return rows.map(dueWait);
}

const isWait = ({ runId, taskIndex, mapIndex, uuid }: WaitKey) =>
  sql<boolean>`run_id = ${runId} and task_index = ${taskIndex} and map_index = ${mapIndex} and dispatch_id = ${uuid}::uuid`;

/** The next look. Not when an event has called for one meanwhile, or the wait is over. */
export async function putOffWait(db: Db, wait: DueWait, seconds: number): Promise<void> {
  await sql`
    update trigger_wait set due_at = least(clock_timestamp() + ${seconds} * interval '1 second', timeout_at)
    where ${isWait(wait)} and due_at = ${wait.claimedUntil}::timestamptz`.execute(db);
}

/** Of a task that is no longer deferred under that dispatch. */
export async function dropWait(db: Db, wait: WaitKey): Promise<void> {
  await sql`delete from trigger_wait where ${isWait(wait)}`.execute(db);
}

/** Milliseconds until the next look is due; null: none is. */
export async function millisecondsToNextWait(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select extract(epoch from due_at - clock_timestamp())::float8 * 1000 as ms from trigger_wait
    where due_at < 'infinity' order by due_at limit 1`.execute(db);
  return rows[0]?.ms ?? null;
}

/** Names the end of a run, for those who wait for that very run. */
export const runKeyOf = (runId: number): string => `run:${runId}`;
/** Names what happens in a DAG's runs of a logical date. */
export const dateKeyOf = (dagId: string, logicalDate: Date): string => `date:${dagId}:${logicalDate.getTime()}`;

/** Makes due what waits for these runs, or for tasks of theirs. Cheap where nobody waits for any run. */
export async function wakeWatchers(trx: Transaction<DB>, runIds: readonly number[]): Promise<void> {
  await sql`
    with r as materialized (
      select r.id, d.name, (extract(epoch from r.logical_date) * 1000)::bigint as ms from dag_run r join dag d on d.id = r.dag_id
      where r.id = any(${[...runIds]}::bigint[]) and exists (select from trigger_wait where watch_key is not null)),
    w as (
      update trigger_wait set due_at = clock_timestamp()
      where watch_key = any(array(select 'run:' || id from r union all select 'date:' || name || ':' || ms from r where ms is not null))
        and due_at > clock_timestamp()
      returning 1)
    select pg_notify('millrace_trigger', '') from (select from w limit 1) x`.execute(trx);
}

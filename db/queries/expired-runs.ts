/** Runs that have been kept long enough. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DagPolicy } from './retention-policy.ts';

/** No run that was born later can have ended so long ago: an id carries its day of birth, so newer runs are not looked at. */
const bornBefore = (seconds: number) => sql<number>`
  (((extract(epoch from now() - ${seconds} * interval '1 second')::bigint / 86400) + 1) << 36)`;

/**
 * Of DAG `d`: ended so long ago, and nobody needs them. Kept are the newest ones and the newest success, what stands for something on a
 * cluster still, and what others wait for.
 */
const isExpired = ({ dagId, runs, keepLast }: Pick<DagPolicy, 'dagId' | 'runs' | 'keepLast'>) => sql`
  r.dag_id = ${dagId} and r.state in ('success', 'failed', 'cancelled') and r.id < ${bornBefore(runs ?? 0)}
  and r.ended_at < now() - ${runs} * interval '1 second'
  and r.id < coalesce((select min(id) from (select id from dag_run where dag_id = ${dagId} order by id desc limit ${keepLast}) k), ${Number.MAX_SAFE_INTEGER})
  and r.id is distinct from (select id from dag_run where dag_id = ${dagId} and state = 'success'
    order by logical_date desc nulls last, id desc limit 1)
  and not exists (select from launch l where l.run_id = r.id)
  and r.id <> all(array(select i.run_id from bulk_job j join bulk_job_item i on i.job_id = j.id where j.ended_at is null))
  and r.id <> all(array(select b.run_id from backfill j join backfill_date b on b.backfill_id = j.id
    where j.ended_at is null and b.run_id is not null))
  and r.id <> all(array(select e.run_id from asset_pending p join asset_event e on e.id = p.event_id where e.run_id is not null))
  and not exists (select from trigger_wait w where w.watch_key = 'run:' || r.id)`;

export interface ExpiredRun {
  id: number;
  /** How much there is of it, about. */
  events: number;
}

/** Oldest first. */
export async function listExpiredRuns(
  db: Db,
  policy: DagPolicy,
  { after, limit, span }: { after: number; limit: number; span?: { from: number; to: number } },
): Promise<ExpiredRun[]> {
  const within = span ? sql`and r.id >= ${span.from} and r.id < ${span.to}` : sql``;
  const { rows } = await sql<ExpiredRun>`
    select r.id, r.event_seq as events from dag_run r where ${isExpired(policy)} and r.id > ${after} ${within}
    order by r.id limit ${limit}`.execute(db);
  return rows;
}

export async function countExpiredRuns(
  db: Db,
  policy: DagPolicy,
  span: { from: number; to: number } | null = null,
): Promise<number> {
  const within = span ? sql`and r.id >= ${span.from} and r.id < ${span.to}` : sql``;
  const { rows } = await sql<{ count: number }>`
    select count(*) from dag_run r where ${isExpired(policy)} ${within}`.execute(db);
  return rows[0]?.count ?? 0;
}

export interface AgedRun {
  id: number;
  /** It ended before the time; otherwise it was born before it, but has not. */
  isOver: boolean;
}

/** Runs of the DAG after one, as far as they may have ended `seconds` ago. */
export async function listAgedRuns(
  db: Db,
  { dagId, seconds, after, limit }: { dagId: number; seconds: number; after: number; limit: number },
): Promise<AgedRun[]> {
  const { rows } = await sql<AgedRun>`
    select id, coalesce(ended_at < now() - ${seconds} * interval '1 second', false) and state in ('success', 'failed', 'cancelled') as "isOver"
    from dag_run where dag_id = ${dagId} and id > ${after} and id < ${bornBefore(seconds)} order by id limit ${limit}`.execute(
    db,
  );
  return rows;
}

/** How many have something left to give up. */
export async function countAgedRuns(
  db: Db,
  { dagId, what, seconds }: { dagId: number; what: 'logs' | 'results'; seconds: number },
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from dag_run where dag_id = ${dagId} and id < ${bornBefore(seconds)}
      and id > coalesce((select run_id from retention_mark where dag_id = ${dagId} and what = ${what}), 0)
      and ended_at < now() - ${seconds} * interval '1 second' and state in ('success', 'failed', 'cancelled')`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

export async function readRetentionMark(db: Db, dagId: number, what: string): Promise<number> {
  const { rows } = await sql<{ run_id: number }>`
    select run_id from retention_mark where dag_id = ${dagId} and what = ${what}`.execute(db);
  return rows[0]?.run_id ?? 0;
}

export async function moveRetentionMark(db: Db, dagId: number, what: string, runId: number): Promise<void> {
  await sql`
    insert into retention_mark (dag_id, what, run_id) select ${dagId}, ${what}, ${runId} where exists (select from dag where id = ${dagId})
    on conflict (dag_id, what) do update set run_id = greatest(retention_mark.run_id, excluded.run_id)`.execute(db);
}

/** Text of the logs of ended runs, newest first, before one. */
export async function listLogSizes(
  db: Db,
  { dagId, before, limit }: { dagId: number; before: number; limit: number },
): Promise<{ id: number; bytes: number }[]> {
  const { rows } = await sql<{ id: number; bytes: number }>`
    select r.id, (select coalesce(sum(y.log_bytes), 0)::bigint from task_try y where y.run_id = r.id) as bytes
    from dag_run r where r.dag_id = ${dagId} and r.id < ${before} and r.state in ('success', 'failed', 'cancelled')
    order by r.id desc limit ${limit}`.execute(db);
  return rows;
}

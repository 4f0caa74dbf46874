/** What follows for a DAG and its schedule from the ends of its runs. */
import { sql, type Transaction } from 'kysely';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { recordAudit } from './audit.ts';
import { recordDagEvent } from './dag.ts';
import { scheduleNextRun } from './schedule.ts';

export interface LiveRun {
  runId: number;
  dagId: number;
  state: 'queued' | 'running';
}

/** So many are looked at per slot. */
const MOST_LIVE = 100;

/** The scheduled runs before these slots that have not ended, oldest first. */
export async function liveRunsBefore(db: Db, slots: { dagId: number; logicalDate: Date }[]): Promise<LiveRun[]> {
  const { rows } = await sql<{ id: number; dag_id: number; state: 'queued' | 'running' }>`
    select r.id, r.dag_id, r.state from
      unnest(${slots.map((slot) => slot.dagId)}::bigint[], ${slots.map((slot) => slot.logicalDate)}::timestamptz[]) s(dag_id, logical_date),
      lateral (
        (select id, dag_id, state from dag_run where dag_id = s.dag_id and state = 'queued' and kind = 'scheduled' and logical_date < s.logical_date
          order by id limit ${MOST_LIVE})
        union all
        (select id, dag_id, state from dag_run where dag_id = s.dag_id and state = 'running' and kind = 'scheduled' and logical_date < s.logical_date
          order by id limit ${MOST_LIVE})) r
    order by r.id`.execute(db);
  return rows.map((row) => ({ runId: row.id, dagId: row.dag_id, state: row.state }));
}

/** Says in the DAG's events which slot got no run, unless the DAG has moved on from it. */
export async function recordSkippedSlot(db: Db, dagId: number, logicalDate: Date, why: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { rows } = await sql`
      select from dag where id = ${dagId} and next_logical_date = ${logicalDate} for no key update`.execute(trx);
    if (rows.length > 0) await recordDagEvent(trx, dagId, { dag: 'skipped', by: 'schedule', why });
  });
}

export interface RuledDag {
  id: number;
  continuous: boolean;
  maxFailedRuns: number;
}

/** Those of these DAGs for which the end of a run means something. */
export async function ruledDags(db: Db, dagIds: readonly number[]): Promise<RuledDag[]> {
  const { rows } = await sql<{ id: number; continuous: boolean; max_failed_runs: number }>`
    select id, continuous, max_failed_runs from dag
    where id = any(${dagIds}::bigint[]) and not paused and (continuous or max_failed_runs > 0) order by id`.execute(db);
  return rows.map((row) => ({ id: row.id, continuous: row.continuous, maxFailedRuns: row.max_failed_runs }));
}

/** Runs that are looked at beside those that count: backfills and what is still under way. */
const MOST_OTHERS = 200;

/**
 * Pauses the DAG when its newest ended runs, as many as it allows, have all failed. Runs that ended before a person last un-paused it do
 * not count, nor do backfills and cancelled runs. True: it has been paused.
 */
export async function pauseAfterFailures(trx: Transaction<DB>, dagId: number): Promise<boolean> {
  const { rows } = await sql<{ name: string; most: number }>`
    select name, max_failed_runs as most from dag where id = ${dagId} and not paused and max_failed_runs > 0 for no key update`.execute(
    trx,
  );
  const dag = rows[0];
  if (!dag) return false;
  const { rows: ended } = await sql<{ id: number; state: string }>`
    select r.id, r.state from
      (select id, state, kind, ended_at from dag_run where dag_id = ${dagId} order by id desc limit ${dag.most + MOST_OTHERS}) r
    where r.kind <> 'backfill' and r.state in ('success', 'failed') and r.ended_at > (select failures_from from dag where id = ${dagId})
    order by r.id desc limit ${dag.most}`.execute(trx);
  if (ended.length < dag.most || ended.some((run) => run.state !== 'failed')) return false;
  const reason = `The last ${dag.most === 1 ? 'run' : `${dag.most} runs`} failed; maxConsecutiveFailedRuns is ${dag.most}.`;
  await sql`update dag set paused = true, pause_reason = ${reason}, updated_at = now() where id = ${dagId}`.execute(
    trx,
  );
  await recordDagEvent(trx, dagId, { dag: 'paused', by: 'scheduler', why: reason });
  await recordAudit(trx, {
    actor: 'scheduler',
    action: 'pause_dag',
    object: dag.name,
    detail: { reason, runs: ended.map((run) => String(run.id)) },
  });
  return true;
}

/** A continuous DAG whose run has ended is due again; while one is under way, nothing changes. */
export async function continueDag(trx: Transaction<DB>, dagId: number): Promise<void> {
  const { rows } = await sql<{ version_id: number }>`
    select version_id from dag where id = ${dagId} and continuous and active and not paused for no key update`.execute(
    trx,
  );
  if (rows[0] === undefined) return;
  const { head } = await trx
    .selectFrom('dag_version')
    .select(sql<Omit<DagSpec, 'tasks'>>`spec - 'tasks'`.as('head'))
    .where('id', '=', rows[0].version_id)
    .executeTakeFirstOrThrow();
  await scheduleNextRun(trx, dagId, head);
  await sql`select pg_notify('millrace_schedule', '')`.execute(trx);
}

/** Continuous DAGs that stand still although no run of theirs is under way: the net under the events. */
export async function restingContinuousDags(db: Db): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    select id from dag d where continuous and active and not paused and next_run_at is null
      and not exists (select from dag_run where dag_id = d.id and state = 'queued' and kind = 'scheduled')
      and not exists (select from dag_run where dag_id = d.id and state = 'running' and kind = 'scheduled')
    order by id limit 1000`.execute(db);
  return rows.map((row) => row.id);
}

export interface FailedTask {
  runId: number;
  taskIndex: number;
  mapIndex: number;
}

/** Those that are failed still, in a run that is not over: what a person has cleared since speaks no more. */
export async function stillFailed(db: Db, tasks: readonly FailedTask[]): Promise<FailedTask[]> {
  const { rows } = await sql<{ n: number }>`
    select q.n::int as n from unnest(${tasks.map((task) => task.runId)}::bigint[], ${tasks.map((task) => task.taskIndex)}::int[],
        ${tasks.map((task) => task.mapIndex)}::int[]) with ordinality q(run_id, task_index, map_index, n),
      lateral (select state from task_instance where run_id = q.run_id and task_index = q.task_index and map_index = q.map_index) t,
      lateral (select state from dag_run where id = q.run_id) r
    where t.state = 'failed' and r.state = 'running'`.execute(db);
  return rows.flatMap((row) => tasks[row.n - 1] ?? []);
}

export interface OverdueRun {
  runId: number;
  /** Seconds it may take. */
  seconds: number;
}

/** Running runs whose time is over. */
export async function overdueRuns(db: Db, limit: number): Promise<OverdueRun[]> {
  const { rows } = await sql<{ id: number; seconds: number }>`
    select r.id, v.run_timeout as seconds from dag_run r join dag_version v on v.id = r.version_id
    where r.state = 'running' and r.end_as is null and r.timeout_at <= clock_timestamp() order by r.timeout_at limit ${limit}`.execute(
    db,
  );
  return rows.map((row) => ({ runId: row.id, seconds: row.seconds }));
}

/** Milliseconds until the next run's time is over; null: none is limited. */
export async function millisecondsToTimeout(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(timeout_at) - clock_timestamp()) * 1000)::float8 as ms
    from dag_run where state = 'running' and end_as is null and timeout_at is not null`.execute(db);
  return rows[0]?.ms ?? null;
}

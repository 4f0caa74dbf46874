/** Clocks of runs and tries: set by an event, stopped by the end in time, or found to have run out. */
import { sql, type Selectable, type Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB, Deadline } from '#db/types.ts';

export type DeadlineRow = Selectable<Deadline>;

export interface ClockSubject {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  tryNumber: number;
}
export interface NewClock extends ClockSubject {
  kind: 'deadline' | 'slow';
  rule: string;
  /** Seconds after `from`. */
  within: number;
  /** A moment, or something about the run. */
  from: Date | 'queued' | 'logical_date' | 'average_runtime';
  runs: number;
  minRuns: number;
}

/** Those whose reference does not exist (a run without logical date, too few former runs) are left out. */
export async function startClocks(trx: Transaction<DB>, clocks: readonly NewClock[]): Promise<void> {
  if (clocks.length === 0) return;
  const rows = clocks.map((clock) => ({
    run_id: clock.runId,
    kind: clock.kind,
    rule: clock.rule,
    task_index: clock.taskIndex,
    map_index: clock.mapIndex,
    try_number: clock.tryNumber,
    within: clock.within,
    at: clock.from instanceof Date ? clock.from.toISOString() : null,
    reference: clock.from instanceof Date ? null : clock.from,
    runs: clock.runs,
    min_runs: clock.minRuns,
  }));
  await sql`
    with i as (
      insert into deadline (run_id, dag_id, version_id, kind, rule, task_index, map_index, try_number, due_at)
      select r.id, r.dag_id, r.version_id, f.kind, f.rule, f.task_index, f.map_index, f.try_number, b.at + f.within * interval '1 second'
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) f(run_id bigint, kind text, rule text, task_index int, map_index int, try_number smallint,
          within float8, at timestamptz, reference text, runs int, min_runs int)
      join dag_run r on r.id = f.run_id,
      lateral (select case f.reference when 'queued' then r.created_at when 'logical_date' then r.logical_date
        when 'average_runtime' then r.created_at + (
          select case when count(*) >= f.min_runs then avg(p.ended_at - p.started_at) end
          from (select started_at, ended_at from dag_run where dag_id = r.dag_id and state = 'success' and id < r.id and started_at is not null
            order by id desc limit f.runs) p)
        else f.at end as at) b
      where b.at is not null
      on conflict do nothing returning 1)
    select pg_notify('millrace_deadline', '') from (select from i limit 1) x`.execute(trx);
}

/** These tries are over, before their time or after it: then the clock runs out all the same. */
export async function stopTaskClocks(
  trx: Transaction<DB>,
  subjects: readonly (ClockSubject & { at: Date })[],
): Promise<void> {
  if (subjects.length === 0) return;
  await sql`
    update deadline d set state = 'met', settled_at = f.at
    from unnest(${subjects.map((one) => one.runId)}::bigint[], ${subjects.map((one) => one.taskIndex)}::int[],
      ${subjects.map((one) => one.mapIndex)}::int[], ${subjects.map((one) => one.tryNumber)}::int[],
      ${subjects.map((one) => one.at.toISOString())}::timestamptz[]) f(run_id, task_index, map_index, try_number, at)
    where d.run_id = f.run_id and d.task_index = f.task_index and d.map_index = f.map_index and d.try_number = f.try_number
      and d.state = 'pending' and d.due_at >= f.at`.execute(trx);
}

export async function stopRunClocks(trx: Transaction<DB>, runs: readonly { runId: number; at: Date }[]): Promise<void> {
  if (runs.length === 0) return;
  await sql`
    update deadline d set state = 'met', settled_at = f.at
    from unnest(${runs.map((run) => run.runId)}::bigint[], ${runs.map((run) => run.at.toISOString())}::timestamptz[]) f(run_id, at)
    where d.run_id = f.run_id and d.state = 'pending' and d.due_at >= f.at`.execute(trx);
}

/** Clocks that have run out, each given to one caller only. */
export async function lockDueClocks(trx: Transaction<DB>, limit: number): Promise<DeadlineRow[]> {
  const { rows } = await sql<DeadlineRow>`
    select * from deadline where state = 'pending' and due_at <= clock_timestamp()
    order by due_at, id limit ${limit} for update skip locked`.execute(trx);
  return rows;
}

/** Of these those whose run or try had ended in time: its end is there before its event is read. A run that is gone counts as ended. */
export async function findEndedInTime(trx: Transaction<DB>, clocks: readonly DeadlineRow[]): Promise<Set<number>> {
  const { rows } = await sql<{ id: number }>`
    select f.id from unnest(${clocks.map((one) => one.id)}::bigint[], ${clocks.map((one) => one.run_id)}::bigint[],
      ${clocks.map((one) => one.task_index)}::int[], ${clocks.map((one) => one.map_index)}::int[], ${clocks.map((one) => one.try_number)}::int[],
      ${clocks.map((one) => one.due_at.toISOString())}::timestamptz[]) f(id, run_id, task_index, map_index, try_number, due_at)
    left join dag_run r on r.id = f.run_id
    where r.id is null or r.ended_at <= f.due_at
      or f.task_index >= 0 and exists (select from task_try y where y.run_id = f.run_id and y.task_index = f.task_index
        and y.map_index = f.map_index and y.try_number = f.try_number and y.ended_at <= f.due_at)
      or f.task_index >= 0 and not exists (select from task_instance t where t.run_id = f.run_id and t.task_index = f.task_index
        and t.map_index = f.map_index and t.try_number >= f.try_number)`.execute(trx);
  return new Set(rows.map((row) => row.id));
}

export async function settleClocks(
  trx: Transaction<DB>,
  ids: readonly number[],
  state: 'met' | 'missed',
): Promise<void> {
  if (ids.length === 0) return;
  await sql`
    update deadline set state = ${state}, settled_at = clock_timestamp() where id = any (${ids}::bigint[])`.execute(
    trx,
  );
}

/** Milliseconds until a clock runs out; null: none runs. */
export async function millisecondsToDeadline(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::float8 as ms from deadline where state = 'pending'`.execute(
    db,
  );
  return rows[0]?.ms ?? null;
}

/** Clocks of runs, not of their tasks. */
export async function findRunDeadlines(db: Db, runIds: readonly number[]): Promise<DeadlineRow[]> {
  if (runIds.length === 0) return [];
  return db
    .selectFrom('deadline')
    .selectAll()
    .where('run_id', 'in', runIds)
    .where('task_index', '=', -1)
    .orderBy('due_at')
    .orderBy('id')
    .execute();
}

/** Those of runs that are gone, or ended long ago. */
export async function deleteOldDeadlines(db: Db, days: number): Promise<void> {
  await sql`
    delete from deadline where id in (
      select id from deadline where state <> 'pending' and settled_at < now() - ${days} * interval '1 day' limit 10000)`.execute(
    db,
  );
}

/** Runs and tasks of other DAGs, as those see them who wait for them. */
import { sql } from 'kysely';
import type { RunState, TaskState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';

export interface AwaitedDag {
  dagId: number;
  versionId: number | null;
}

export async function findDag(db: Db, name: string): Promise<AwaitedDag | null> {
  const row = await db.selectFrom('dag').select(['id', 'version_id']).where('name', '=', name).executeTakeFirst();
  return row ? { dagId: row.id, versionId: row.version_id } : null;
}

/** Those of the names that are no tasks of the version. */
export async function unknownTasks(db: Db, versionId: number, taskIds: readonly string[]): Promise<string[]> {
  if (taskIds.length === 0) return [];
  const { rows } = await sql<{ name: string }>`
    select name from unnest(${[...taskIds]}::text[]) q(name)
    where not exists (select from dag_version_task v where v.version_id = ${versionId} and v.task_id = q.name)`.execute(
    db,
  );
  return rows.map((row) => row.name);
}

export interface AwaitedRun {
  runId: number;
  versionId: number;
  state: RunState;
}

/** The newest run of a logical date; null: there is none yet. */
export async function findRunOfDate(db: Db, dagId: number, logicalDate: Date): Promise<AwaitedRun | null> {
  const { rows } = await sql<{ id: number; version_id: number; state: RunState }>`
    select id, version_id, state from (
      (select id, version_id, state from dag_run where dag_id = ${dagId} and logical_date = ${logicalDate} and kind = 'scheduled')
      union all
      (select id, version_id, state from dag_run where dag_id = ${dagId} and logical_date = ${logicalDate} and kind <> 'scheduled')) r
    order by id desc limit 1`.execute(db);
  const row = rows[0];
  return row ? { runId: row.id, versionId: row.version_id, state: row.state } : null;
}

/** The states of these tasks' instances, all of a mapped one. */
export async function statesOfTasks(
  db: Db,
  { runId, versionId }: AwaitedRun,
  taskIds: readonly string[],
): Promise<{ taskId: string; state: TaskState }[]> {
  const { rows } = await sql<{ task_id: string; state: TaskState }>`
    select v.task_id, t.state from dag_version_task v join task_instance t on t.run_id = ${runId} and t.task_index = v.task_index
    where v.version_id = ${versionId} and v.task_id = any(${[...taskIds]}::text[])`.execute(db);
  return rows.map((row) => ({ taskId: row.task_id, state: row.state }));
}

export interface FoundRun {
  runId: number;
  runKey: string;
  state: RunState;
  idempotencyKey: string | null;
}

export async function findRun(db: Db, runId: number): Promise<FoundRun | null> {
  const row = await db
    .selectFrom('dag_run')
    .select(['id', 'run_key', 'state', 'idempotency_key'])
    .where('id', '=', runId)
    .executeTakeFirst();
  return row ? { runId: row.id, runKey: row.run_key, state: row.state, idempotencyKey: row.idempotency_key } : null;
}

/** No later run of its schedule is there, and none is due. */
export async function isLatestRun(db: Db, runId: number): Promise<boolean> {
  const { rows } = await sql<{ is_latest: boolean }>`
    select r.logical_date is null or (
      not exists (select from dag_run l where l.dag_id = r.dag_id and l.logical_date > r.logical_date and l.kind = 'scheduled')
      and not coalesce(d.next_logical_date > r.logical_date and d.next_run_at <= clock_timestamp(), false)) as is_latest
    from dag_run r join dag d on d.id = r.dag_id where r.id = ${runId}`.execute(db);
  return rows[0]?.is_latest ?? true;
}

/** Whether this actor has cleared or marked tasks of the run. */
export async function wasEditedBy(db: Db, runId: number, actor: string): Promise<boolean> {
  const row = await db
    .selectFrom('event')
    .select('run_seq')
    .where('run_id', '=', runId)
    .where(sql<boolean>`body->>'by' = ${actor} and body->'t' is not null`)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

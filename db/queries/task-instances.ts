/** Task instances, for reading. */
import { sql, type Selectable } from 'kysely';
import type { TaskState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { TaskInstance } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export interface TaskKey {
  runId: number;
  taskIndex: number;
  mapIndex: number;
}

const COLUMNS = [
  'run_id',
  'task_index',
  'map_index',
  'state',
  'try_number',
  'max_tries',
  'queued_at',
  'started_at',
  'ended_at',
  'dispatch_id',
  'worker_id',
] as const;
export type TaskInstanceRow = Pick<Selectable<TaskInstance>, (typeof COLUMNS)[number]>;

/** In no order; those that exist. */
export async function findTaskInstances(db: Db, keys: readonly TaskKey[]): Promise<TaskInstanceRow[]> {
  if (keys.length === 0) return [];
  const wanted = sql<{ run_id: number; task_index: number; map_index: number }>`
    unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])`;
  return db
    .selectFrom(wanted.as<'k'>(sql`k(run_id, task_index, map_index)`))
    .innerJoin('task_instance as t', (join) =>
      join
        .onRef('t.run_id', '=', 'k.run_id')
        .onRef('t.task_index', '=', 'k.task_index')
        .onRef('t.map_index', '=', 'k.map_index'),
    )
    .select(COLUMNS.map((column) => `t.${column}` as const))
    .execute();
}

/** In the order of the spec. */
export async function listTaskInstances(
  db: Db,
  { runId, state }: { runId: number; state?: TaskState | null },
  page: KeysetPage<{ taskIndex: number; mapIndex: number }>,
): Promise<TaskInstanceRow[]> {
  let query = db.selectFrom('task_instance').select(COLUMNS).where('run_id', '=', runId);
  if (state) query = query.where('state', '=', state);
  if (page.after)
    query = query.where(
      sql<boolean>`(task_index, map_index) > (${page.after.taskIndex}::int, ${page.after.mapIndex}::int)`,
    );
  if (page.before)
    query = query.where(
      sql<boolean>`(task_index, map_index) < (${page.before.taskIndex}::int, ${page.before.mapIndex}::int)`,
    );
  const direction = page.inverted ? 'desc' : 'asc';
  return query.orderBy('task_index', direction).orderBy('map_index', direction).limit(page.limit).execute();
}

/** What a worker runs now, oldest run first. Looks only at the task instances of runs that are going on. */
export async function listTasksOfWorker(
  db: Db,
  workerId: number,
  page: KeysetPage<TaskKey>,
): Promise<TaskInstanceRow[]> {
  const place = sql`(t.run_id, t.task_index, t.map_index)`;
  const at = ({ runId, taskIndex, mapIndex }: TaskKey) => sql`(${runId}::bigint, ${taskIndex}::int, ${mapIndex}::int)`;
  let query = db
    .selectFrom('dag_run as r')
    .innerJoin('task_instance as t', 't.run_id', 'r.id')
    .select(COLUMNS.map((column) => `t.${column}` as const))
    .where('r.state', '=', 'running')
    .where('t.state', '=', 'running')
    .where('t.worker_id', '=', workerId);
  if (page.after) query = query.where(sql<boolean>`${place} > ${at(page.after)}`);
  if (page.before) query = query.where(sql<boolean>`${place} < ${at(page.before)}`);
  const direction = page.inverted ? 'desc' : 'asc';
  return query
    .orderBy('t.run_id', direction)
    .orderBy('t.task_index', direction)
    .orderBy('t.map_index', direction)
    .limit(page.limit)
    .execute();
}

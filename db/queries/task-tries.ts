/** The history of tries: one row for each that ended. */
import { sql, type Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { TaskTry } from '#db/types.ts';
import type { TaskKey } from './task-instances.ts';

export type TaskTryRow = Selectable<TaskTry>;

/** A task instance has few tries; the limit is against a cleared and cleared again one. */
const MOST_TRIES = 100;

/** Oldest first, by task instance in the order of `keys`; `newest` gives the last one alone. */
export async function listTaskTries(
  db: Db,
  keys: readonly TaskKey[],
  { newest = false }: { newest?: boolean } = {},
): Promise<TaskTryRow[][]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<TaskTryRow & { n: number }>`
    select k.n::int as n, t.* from
      unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
        with ordinality k(run_id, task_index, map_index, n),
      lateral (select * from task_try t where t.run_id = k.run_id and t.task_index = k.task_index and t.map_index = k.map_index
        order by try_number desc limit ${newest ? 1 : MOST_TRIES}) t
    order by k.n, t.try_number`.execute(db);
  const tries: TaskTryRow[][] = keys.map(() => []);
  for (const { n, ...row } of rows) tries[n - 1]?.push(row);
  return tries;
}

export async function findTaskTry(db: Db, key: TaskKey, tryNumber: number): Promise<TaskTryRow | undefined> {
  return db
    .selectFrom('task_try')
    .selectAll()
    .where('run_id', '=', key.runId)
    .where('task_index', '=', key.taskIndex)
    .where('map_index', '=', key.mapIndex)
    .where('try_number', '=', tryNumber)
    .executeTakeFirst();
}

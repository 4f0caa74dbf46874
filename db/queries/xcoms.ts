/** Results of tasks, for reading. */
import { sql } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { TaskKey } from './task-instances.ts';

export interface XComRow {
  key: string;
  value: Json;
}

const MOST_KEYS = 200;

/** By key, for each task instance in the order of `keys`. */
export async function listXComs(db: Db, keys: readonly TaskKey[]): Promise<XComRow[][]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<XComRow & { n: number }>`
    select k.n::int as n, x.key, x.value from
      unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
        with ordinality k(run_id, task_index, map_index, n),
      lateral (select key, value from xcom x where x.run_id = k.run_id and x.task_index = k.task_index and x.map_index = k.map_index
        order by key limit ${MOST_KEYS}) x
    order by k.n, x.key`.execute(db);
  const found: XComRow[][] = keys.map(() => []);
  for (const { n, ...row } of rows) found[n - 1]?.push(row);
  return found;
}

/** Results of tasks, for reading. */
import { sql } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { TaskKey } from './task-instances.ts';

export interface XComRow extends XComValueRow {
  task: TaskKey;
}
export interface XComValueRow {
  key: string;
  /** Of one in the artifact store: the beginning of its JSON, as text. */
  value: Json;
  /** Its hash in the artifact store; null: it is here. */
  artifact: string | null;
  /** Of the JSON of one in the artifact store. */
  bytes: number | null;
}

const MOST_KEYS = 200;

/** By key, for each task instance in the order of `keys`; what tasks say beside their results is left out. */
export async function listXComs(db: Db, keys: readonly TaskKey[]): Promise<XComRow[][]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<XComValueRow & { n: number }>`
    select k.n::int as n, x.key, x.value, x.artifact, x.bytes from
      unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
        with ordinality k(run_id, task_index, map_index, n),
      lateral (select key, value, artifact, bytes from xcom x where x.run_id = k.run_id and x.task_index = k.task_index and x.map_index = k.map_index and x.key not like 'millrace.%'
        order by key limit ${MOST_KEYS}) x
    order by k.n, x.key`.execute(db);
  const found: XComRow[][] = keys.map(() => []);
  for (const { n, ...row } of rows) {
    const task = keys[n - 1];
    if (task) found[n - 1]?.push({ ...row, task });
  }
  return found;
}

export async function findXCom(db: Db, task: TaskKey, key: string): Promise<XComValueRow | undefined> {
  const { rows } = await sql<XComValueRow>`
    select key, value, artifact, bytes from xcom
    where run_id = ${task.runId} and task_index = ${task.taskIndex} and map_index = ${task.mapIndex} and key = ${key}`.execute(
    db,
  );
  return rows[0];
}

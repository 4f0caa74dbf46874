/** What mapped instances were made for. */
import { sql } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { TaskKey } from './task-instances.ts';

export type MapArguments = { [name: string]: Json };

/** In the order of the keys, whose tasks are those that the map belongs to; null where there is none. */
export async function findMapItems(db: Db, keys: readonly TaskKey[]): Promise<(MapArguments | null)[]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<{ n: number; value: MapArguments }>`
    select k.n::int as n, m.value from
      unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
        with ordinality k(run_id, task_index, map_index, n)
      join map_item m using (run_id, task_index, map_index)`.execute(db);
  const found: (MapArguments | null)[] = keys.map(() => null);
  for (const { n, value } of rows) found[n - 1] = value;
  return found;
}

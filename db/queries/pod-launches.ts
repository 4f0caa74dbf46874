/** What a Pod that shows its token is held against. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';

/** The Pod that was asked for, as far as that has come. */
export interface LaunchedPod {
  cluster: string;
  namespace: string | null;
  name: string | null;
  /** Null until the cluster's answer is recorded. */
  uid: string | null;
}

/** Undefined: this dispatch is no cluster's, or nothing is left of it. */
export async function findLaunchedPod(db: Db, key: DispatchKey): Promise<LaunchedPod | undefined> {
  return db
    .selectFrom('launch')
    .select(['cluster', 'namespace', 'name', 'uid'])
    .where('dispatch_id', '=', key.uuid)
    .where('run_id', '=', key.runId)
    .where('task_index', '=', key.taskIndex)
    .where('map_index', '=', key.mapIndex)
    .executeTakeFirst();
}

/** What the collector in the Pod of a dispatch is to do. `never`: nobody waits for the result. */
export type ResultWish = 'not_yet' | 'now' | 'never';

export async function findResultWish(db: Db, key: DispatchKey): Promise<ResultWish> {
  const row = await db
    .selectFrom('launch as l')
    .innerJoin('task_instance as t', (join) =>
      join
        .onRef('t.run_id', '=', 'l.run_id')
        .onRef('t.task_index', '=', 'l.task_index')
        .onRef('t.map_index', '=', 'l.map_index')
        .onRef('t.dispatch_id', '=', 'l.dispatch_id'),
    )
    .select('l.result_ready_at')
    .where('l.dispatch_id', '=', key.uuid)
    .where('t.run_id', '=', key.runId)
    .where('t.task_index', '=', key.taskIndex)
    .where('t.map_index', '=', key.mapIndex)
    .where('t.state', 'in', ['queued', 'running'])
    .executeTakeFirst();
  if (!row) return 'never';
  return row.result_ready_at === null ? 'not_yet' : 'now';
}

/** The task's container has ended well: its collector may fetch what it left. */
export async function setResultReady(db: Db, uuid: string): Promise<void> {
  await db
    .updateTable('launch')
    .set({ result_ready_at: sql`clock_timestamp()` })
    .where('dispatch_id', '=', uuid)
    .where('result_ready_at', 'is', null)
    .execute();
}

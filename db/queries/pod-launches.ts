/** What a Pod that shows its token is held against. */
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

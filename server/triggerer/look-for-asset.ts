/** One look for an update of an asset. */
import type { Db } from '#db/client.ts';
import { findUpdateSince } from '#db/queries/assets.ts';
import type { Look } from '#sdk/poke.ts';
import type { AssetTarget } from '#sdk/waiting-spec.ts';

export async function lookForAsset(db: Db, { name, since }: AssetTarget): Promise<Look> {
  const found = await findUpdateSince(db, name, new Date(since ?? 0));
  if (!found) return { found: false, note: `asset '${name}' has not been updated since ${since}` };
  const { at, extra, dag_name: dagId, task_id: taskId, run_key: runKey, map_index: mapIndex } = found;
  return { found: true, value: { asset: name, at: at.toISOString(), extra, dagId, taskId, runKey, mapIndex } };
}

/** Large results between the processes that make and read them and the store: who may bring and get which. */
import { ArtifactError, type ArtifactStore } from '#db/artifacts.ts';
import type { Db } from '#db/client.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { isCurrentDispatch } from '#db/queries/artifacts.ts';

export interface LargeResults {
  db: Db;
  artifacts: ArtifactStore;
}

const HASH = /^[0-9a-f]{64}$/;

/** Takes a result of a dispatch that runs; rejects with an ArtifactError otherwise. */
export async function takeResult(
  { db, artifacts }: LargeResults,
  dispatchId: string,
  hash: string,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const key = parseDispatchId(dispatchId);
  if (!key || !HASH.test(hash)) throw new ArtifactError('This is no dispatch, or no sha256.');
  if (!(await isCurrentDispatch(db, key)))
    throw new ArtifactError('This dispatch is not the current one of a running task.');
  await artifacts.put(key.runId, hash, content);
}

/** A result of the dispatch's run; null: there is none. */
export async function giveResult(
  { artifacts }: LargeResults,
  dispatchId: string,
  hash: string,
): Promise<AsyncIterable<Buffer> | null> {
  const key = parseDispatchId(dispatchId);
  return key && HASH.test(hash) ? artifacts.read(key.runId, hash) : null;
}

/** Results too large for a row: bytes in pieces, by run and content hash. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';

/** True while this dispatch is the current one of a running task. */
export async function isCurrentDispatch(db: Db, key: DispatchKey): Promise<boolean> {
  const { rows } = await sql`
    select from task_instance where run_id = ${key.runId} and task_index = ${key.taskIndex} and map_index = ${key.mapIndex}
      and dispatch_id = ${key.uuid}::uuid and state in ('queued', 'running')`.execute(db);
  return rows.length > 0;
}

export async function hasArtifact(db: Db, runId: number, hash: string): Promise<boolean> {
  const { rows } = await sql`select from artifact where run_id = ${runId} and hash = ${hash} and chunk = 0`.execute(db);
  return rows.length > 0;
}

export async function insertArtifactChunk(
  db: Db,
  { runId, hash, chunk, data }: { runId: number; hash: string; chunk: number; data: Buffer },
): Promise<void> {
  await sql`insert into artifact (run_id, hash, chunk, data) values (${runId}, ${hash}, ${chunk}, ${data})`.execute(db);
}

const UNIQUE_VIOLATION = '23505';

/** From now on it is there under its hash, whole. Its pieces are not written anew: they lie outside of the rows. */
export async function nameArtifact(
  db: Db,
  { runId, draft, hash }: { runId: number; draft: string; hash: string },
): Promise<void> {
  try {
    await sql`update artifact set hash = ${hash} where run_id = ${runId} and hash = ${draft}`.execute(db);
  } catch (error) {
    // Another upload of the same bytes was first
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    await deleteArtifact(db, { runId, hash: draft });
  }
}

export async function deleteArtifact(db: Db, { runId, hash }: { runId: number; hash: string }): Promise<void> {
  await sql`delete from artifact where run_id = ${runId} and hash = ${hash}`.execute(db);
}

/** Pieces of uploads whose server died in the middle, begun more than a day ago. Returns how many were deleted. */
export async function deleteOldDrafts(db: Db): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from artifact where hash like 'draft %'
      and hash < to_char(now() at time zone 'UTC' - interval '1 day', '"draft "YYYY-MM-DD"T"HH24:MI:SS')`.execute(db);
  return Number(numAffectedRows ?? 0);
}

export async function readArtifactChunk(
  db: Db,
  { runId, hash, chunk }: { runId: number; hash: string; chunk: number },
): Promise<Buffer | null> {
  const { rows } = await sql<{
    data: Buffer;
  }>`select data from artifact where run_id = ${runId} and hash = ${hash} and chunk = ${chunk}`.execute(db);
  return rows[0]?.data ?? null;
}

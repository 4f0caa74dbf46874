/** What people write beside runs and task instances. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { TaskKey } from './task-instances.ts';

export interface NoteRow {
  text: string;
  updated_by: string;
  updated_at: Date;
}

/** The note of a whole run stands under this key. */
export const runNoteKey = (runId: number): TaskKey => ({ runId, taskIndex: -1, mapIndex: -1 });

/** An empty text takes the note away. */
export async function setNote(
  db: Db,
  { runId, taskIndex, mapIndex }: TaskKey,
  text: string,
  actor: string,
): Promise<void> {
  if (text === '') {
    await sql`delete from note where run_id = ${runId} and task_index = ${taskIndex} and map_index = ${mapIndex}`.execute(
      db,
    );
    return;
  }
  await sql`
    insert into note (run_id, task_index, map_index, text, updated_by) values (${runId}, ${taskIndex}, ${mapIndex}, ${text}, ${actor})
    on conflict (run_id, task_index, map_index) do update set text = excluded.text, updated_by = excluded.updated_by, updated_at = now()`.execute(
    db,
  );
}

/** In the order of the keys. */
export async function findNotes(db: Db, keys: readonly TaskKey[]): Promise<(NoteRow | null)[]> {
  const { rows } = await sql<NoteRow & { n: number }>`
    select k.n::int as n, text, updated_by, updated_at
    from unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[], ${keys.map((key) => key.mapIndex)}::int[])
      with ordinality k(run_id, task_index, map_index, n)
    join note using (run_id, task_index, map_index)`.execute(db);
  const found: (NoteRow | null)[] = keys.map(() => null);
  for (const { n, ...note } of rows) found[n - 1] = note;
  return found;
}

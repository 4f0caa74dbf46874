/** DAG files that could not be loaded. */
import type { Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { ImportError } from '#db/types.ts';

export type ImportErrorRow = Selectable<ImportError>;
const MOST = 200;

/** Newest first. */
export async function listImportErrors(db: Db): Promise<ImportErrorRow[]> {
  return db
    .selectFrom('import_error')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('source')
    .orderBy('path')
    .limit(MOST)
    .execute();
}

export async function saveImportError(db: Db, error: { source: string; path: string; message: string }): Promise<void> {
  await db
    .insertInto('import_error')
    .values(error)
    .onConflict((conflict) =>
      conflict.columns(['source', 'path']).doUpdateSet((eb) => ({
        message: eb.ref('excluded.message'),
        at: eb.ref('excluded.at'),
      })),
    )
    .execute();
}

/** The file loads again, or is gone. */
export async function clearImportError(db: Db, { source, path }: { source: string; path: string }): Promise<void> {
  await db.deleteFrom('import_error').where('source', '=', source).where('path', '=', path).execute();
}

/** Errors of files that are no longer there. */
export async function clearOtherImportErrors(db: Db, source: string, present: readonly string[]): Promise<void> {
  let query = db.deleteFrom('import_error').where('source', '=', source);
  if (present.length > 0) query = query.where('path', 'not in', present);
  await query.execute();
}

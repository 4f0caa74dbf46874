import type { Db } from '#db/client.ts';

/** A DAG file that could not be loaded: kept until it can, or is gone. */
export async function recordImportError(db: Db, source: string, path: string, message: string): Promise<void> {
  await db
    .insertInto('import_error')
    .values({ source, path, message })
    .onConflict((conflict) => conflict.columns(['source', 'path']).doUpdateSet({ message, at: (eb) => eb.fn('now') }))
    .execute();
}

export async function clearImportError(db: Db, source: string, path: string): Promise<void> {
  await db.deleteFrom('import_error').where('source', '=', source).where('path', '=', path).execute();
}

/** Errors of files that are no longer there. */
export async function clearOtherImportErrors(db: Db, source: string, present: string[]): Promise<void> {
  let query = db.deleteFrom('import_error').where('source', '=', source);
  if (present.length > 0) query = query.where('path', 'not in', present);
  await query.execute();
}

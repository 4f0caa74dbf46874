/** What sources of DAGs hold, for many at once. */
import type { Db } from '#db/client.ts';
import type { ImportErrorRow } from './import-errors.ts';

const MOST = 200;

/** Names of the active DAGs of each source, in the order of `sources`. */
export async function findDagNamesOf(db: Db, sources: readonly string[]): Promise<string[][]> {
  const rows = await db
    .selectFrom('dag')
    .select(['source', 'name'])
    .where('source', 'in', sources)
    .where('active', '=', true)
    .orderBy('name')
    .execute();
  return sources.map((source) => rows.filter((row) => row.source === source).map(({ name }) => name));
}

/** Files of each source that do not load, in the order of `sources`. */
export async function findImportErrorsOf(db: Db, sources: readonly string[]): Promise<ImportErrorRow[][]> {
  const rows = await db
    .selectFrom('import_error')
    .selectAll()
    .where('source', 'in', sources)
    .orderBy('path')
    .limit(MOST)
    .execute();
  return sources.map((source) => rows.filter((row) => row.source === source));
}

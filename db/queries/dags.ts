/** DAGs, for reading. */
import { sql, type Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { Dag } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export type DagRow = Selectable<Dag>;

export async function findDags(db: Db, dagIds: readonly number[]): Promise<DagRow[]> {
  if (dagIds.length === 0) return [];
  return db.selectFrom('dag').selectAll().where('id', 'in', dagIds).execute();
}

export async function findDagByName(db: Db, name: string): Promise<DagRow | undefined> {
  return db.selectFrom('dag').selectAll().where('name', '=', name).executeTakeFirst();
}

export interface DagFilter {
  /** Part of the name, in any case. */
  search?: string | null;
  tag?: string | null;
  paused?: boolean | null;
}

/** By name. */
export async function listDags(db: Db, filter: DagFilter, page: KeysetPage<string>): Promise<DagRow[]> {
  let query = db.selectFrom('dag').selectAll();
  if (filter.search) query = query.where('name', 'ilike', `%${filter.search.replace(/[\\%_]/g, '\\$&')}%`);
  if (filter.tag) query = query.where(sql<boolean>`${filter.tag} = any (tags)`);
  if (filter.paused != null) query = query.where('paused', '=', filter.paused);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  if (page.before !== undefined) query = query.where('name', '<', page.before);
  return query
    .orderBy('name', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

/** Ids of those of these names that exist. */
export async function findDagIds(db: Db, names: readonly string[]): Promise<number[]> {
  if (names.length === 0) return [];
  const rows = await db.selectFrom('dag').select('id').where('name', 'in', names).execute();
  return rows.map((row) => row.id);
}

export type SourceDag = Pick<DagRow, 'id' | 'name' | 'path'>;

/** The active DAGs that were last deployed from this source. */
export async function listActiveOf(db: Db, source: string): Promise<SourceDag[]> {
  return db
    .selectFrom('dag')
    .select(['id', 'name', 'path'])
    .where('source', '=', source)
    .where('active', '=', true)
    .execute();
}

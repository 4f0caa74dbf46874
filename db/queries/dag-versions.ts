/** Versions of DAGs, for reading. A spec can be megabytes: `head` leaves its tasks out. */
import { sql, type Selectable } from 'kysely';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Db } from '#db/client.ts';
import type { DagVersion } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export type DagSpecHead = Omit<DagSpec, 'tasks'>;
const PLAIN = [
  ...(['id', 'dag_id', 'number', 'hash', 'bundle_hash', 'task_count', 'created_by', 'created_at'] as const),
  ...(['git_source', 'commit_sha', 'commit_author', 'commit_message', 'commit_at'] as const),
] as const;
const COLUMNS = [...PLAIN, sql<DagSpecHead>`spec - 'tasks'`.as('head')] as const;
export type DagVersionRow = Pick<Selectable<DagVersion>, (typeof PLAIN)[number]> & { head: DagSpecHead };

export async function findDagVersions(db: Db, versionIds: readonly number[]): Promise<DagVersionRow[]> {
  if (versionIds.length === 0) return [];
  return db.selectFrom('dag_version').select(COLUMNS).where('id', 'in', versionIds).execute();
}

/** Newest first. */
export async function listDagVersions(db: Db, dagId: number, page: KeysetPage<number>): Promise<DagVersionRow[]> {
  let query = db.selectFrom('dag_version').select(COLUMNS).where('dag_id', '=', dagId);
  if (page.after !== undefined) query = query.where('number', '<', page.after);
  if (page.before !== undefined) query = query.where('number', '>', page.before);
  return query
    .orderBy('number', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

export async function readDagSpec(db: Db, versionId: number): Promise<DagSpec> {
  const row = await db.selectFrom('dag_version').select('spec').where('id', '=', versionId).executeTakeFirstOrThrow();
  return row.spec as unknown as DagSpec;
}

/** A DAG's version by its number; undefined when there is none. */
export async function findVersionByNumber(
  db: Db,
  dagId: number,
  number: number,
): Promise<{ id: number; spec: DagSpec; bundle_hash: string | null } | undefined> {
  const row = await db
    .selectFrom('dag_version')
    .select(['id', 'spec', 'bundle_hash'])
    .where('dag_id', '=', dagId)
    .where('number', '=', number)
    .executeTakeFirst();
  return row && { ...row, spec: row.spec as unknown as DagSpec };
}

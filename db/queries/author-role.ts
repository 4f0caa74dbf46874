/** Who stands for a version of a DAG: what an administrator deployed may ask more of a cluster than what an author did. */
import type { Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';

/** Those of the versions that somebody deployed who administers the service. Asked anew each time: a version may be deployed again. */
export async function findAdminVersions(db: Db, versionIds: readonly number[]): Promise<Set<number>> {
  if (versionIds.length === 0) return new Set();
  const rows = await db
    .selectFrom('dag_version')
    .select('id')
    .where('id', 'in', versionIds)
    .where('author_role', '=', 'admin')
    .execute();
  return new Set(rows.map(({ id }) => id));
}

/** The same content, now deployed by an administrator. It stays so: the version is what it was. */
export async function approveVersion(trx: Transaction<DB>, versionId: number): Promise<void> {
  await trx
    .updateTable('dag_version')
    .set({ author_role: 'admin' })
    .where('id', '=', versionId)
    .where('author_role', 'is distinct from', 'admin')
    .execute();
}

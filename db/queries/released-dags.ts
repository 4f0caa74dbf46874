/** DAGs whose source is given up. */
import type { Transaction } from 'kysely';
import type { DB } from '#db/types.ts';
import { deactivateDag } from './dag.ts';

export interface ReleasedDags {
  /** Names of those that were active. */
  dagIds: string[];
}

/** They are deactivated, or with `keep` go on as they are, kept by nobody. What the source could not load is forgotten. */
export async function releaseDags(
  trx: Transaction<DB>,
  source: string,
  { actor, keep }: { actor: string; keep: boolean },
): Promise<ReleasedDags> {
  const active = await trx
    .selectFrom('dag')
    .select(['id', 'name', 'path'])
    .where('source', '=', source)
    .where('active', '=', true)
    .orderBy('id')
    .forUpdate()
    .execute();
  if (!keep) for (const { id, path } of active) await deactivateDag(trx, id, { source, path }, actor);
  await trx.updateTable('dag').set({ source: null, path: null }).where('source', '=', source).execute();
  await trx.deleteFrom('import_error').where('source', '=', source).execute();
  return { dagIds: active.map(({ name }) => name).sort() };
}

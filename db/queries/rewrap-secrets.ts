/** After a change of the secret key: puts what is stored under the new one. No secret is opened for it. */
import type { Db } from '#db/client.ts';
import { VaultError, type Vault } from '#db/vault.ts';
import { recordAudit } from './audit.ts';
import { clusterPlace } from './clusters.ts';
import { connectionPlace } from './connections.ts';
import { gitPlace, gitWebhookPlace } from './git-sources.ts';
import { variablePlace } from './variables.ts';

export interface Rewrapped {
  /** How many are under the current key that were not before. */
  rewrapped: number;
  /** Those under a key that this process does not have: `variable x`, `connection y`. */
  unreadable: string[];
}

/** Safe to run again and beside changes: a row is written only as it was read. */
export async function rewrapSecrets(db: Db, vault: Vault, actor: string): Promise<Rewrapped> {
  const result: Rewrapped = { rewrapped: 0, unreadable: [] };
  const again = (sealed: Buffer, place: string): Buffer | null => {
    try {
      return vault.rewrap(sealed, place);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      result.unreadable.push(place.replace(':', ' '));
      return null;
    }
  };
  const variables = await db.selectFrom('variable').select(['key', 'sealed']).where('sealed', 'is not', null).execute();
  for (const { key, sealed } of variables) {
    const next = sealed && again(sealed, variablePlace(key));
    if (!next) continue;
    const update = db.updateTable('variable').set({ sealed: next }).where('key', '=', key).where('sealed', '=', sealed);
    result.rewrapped += Number((await update.executeTakeFirst()).numUpdatedRows);
  }
  const connections = await db
    .selectFrom('connection')
    .select(['id', 'sealed'])
    .where('sealed', 'is not', null)
    .execute();
  for (const { id, sealed } of connections) {
    const next = sealed && again(sealed, connectionPlace(id));
    if (!next) continue;
    const update = db.updateTable('connection').set({ sealed: next }).where('id', '=', id).where('sealed', '=', sealed);
    result.rewrapped += Number((await update.executeTakeFirst()).numUpdatedRows);
  }
  const clusters = await db.selectFrom('cluster').select(['name', 'sealed']).where('sealed', 'is not', null).execute();
  for (const { name, sealed } of clusters) {
    const next = sealed && again(sealed, clusterPlace(name));
    if (!next) continue;
    const update = db
      .updateTable('cluster')
      .set({ sealed: next })
      .where('name', '=', name)
      .where('sealed', '=', sealed);
    result.rewrapped += Number((await update.executeTakeFirst()).numUpdatedRows);
  }
  result.rewrapped += await rewrapGitSecrets(db, again);
  await recordAudit(db, {
    actor,
    action: 'rewrap_secrets',
    object: 'secrets',
    detail: { rewrapped: result.rewrapped, unreadable: result.unreadable.length },
  });
  return result;
}

async function rewrapGitSecrets(db: Db, again: (sealed: Buffer, place: string) => Buffer | null): Promise<number> {
  let count = 0;
  const places = { sealed: gitPlace, webhook_sealed: gitWebhookPlace } as const;
  const rows = await db.selectFrom('git_source').select(['name', 'sealed', 'webhook_sealed']).execute();
  for (const { name, ...secrets } of rows)
    for (const column of ['sealed', 'webhook_sealed'] as const) {
      const sealed = secrets[column];
      const next = sealed && again(sealed, places[column](name));
      if (!next) continue;
      const update = db
        .updateTable('git_source')
        .set({ [column]: next })
        .where('name', '=', name)
        .where(column, '=', sealed);
      count += Number((await update.executeTakeFirst()).numUpdatedRows);
    }
  return count;
}

/** Variables. The sealed value of a secret one never leaves here but for a dispatch (values.ts). */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import type { Vault } from '#db/vault.ts';
import { recordAudit } from './audit.ts';
import type { KeysetPage } from './keyset.ts';

export interface VariableRow {
  key: string;
  /** Null: it is secret. */
  value: string | null;
  description: string | null;
  created_at: Date;
  updated_at: Date;
  updated_by: string;
}

const COLUMNS = ['key', 'value', 'description', 'created_at', 'updated_at', 'updated_by'] as const;

export async function findVariables(db: Db, keys: readonly string[]): Promise<VariableRow[]> {
  if (keys.length === 0) return [];
  return db.selectFrom('variable').select(COLUMNS).where('key', 'in', keys).execute();
}

/** By key. */
export async function listVariables(
  db: Db,
  { search }: { search: string | null },
  page: KeysetPage<string>,
): Promise<VariableRow[]> {
  let query = db.selectFrom('variable').select(COLUMNS);
  if (search) query = query.where('key', 'ilike', `%${search.replace(/[\\%_]/g, '\\$&')}%`);
  if (page.after !== undefined) query = query.where('key', '>', page.after);
  if (page.before !== undefined) query = query.where('key', '<', page.before);
  return query
    .orderBy('key', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

export interface VariableChange {
  key: string;
  value: string;
  secret: boolean;
  /** Undefined: as it was. */
  description?: string | null | undefined;
}

/** Where the secret of a variable lies, for the vault. */
export const variablePlace = (key: string): string => `variable:${key}`;

/** Makes it, or gives it another value. */
export async function saveVariable(db: Db, vault: Vault, change: VariableChange, actor: string): Promise<VariableRow> {
  const { key, value, secret, description } = change;
  const stored = { value: secret ? null : value, sealed: secret ? vault.seal(value, variablePlace(key)) : null };
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('variable')
      .values({ key, ...stored, description: description ?? null, updated_by: actor })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet({
          ...stored,
          ...(description !== undefined && { description }),
          updated_at: sql<Date>`now()`,
          updated_by: actor,
        }),
      )
      .returning(COLUMNS)
      .executeTakeFirstOrThrow();
    await recordAudit(trx, { actor, action: 'set_variable', object: key, detail: { secret } });
    return row;
  });
}

/** False: there is none. */
export async function deleteVariable(db: Db, key: string, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx.deleteFrom('variable').where('key', '=', key).returning('key').executeTakeFirst();
    if (row) await recordAudit(trx, { actor, action: 'delete_variable', object: key });
    return row !== undefined;
  });
}

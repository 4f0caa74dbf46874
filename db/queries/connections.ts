/** Connections. What is sealed of them never leaves here but for a dispatch (values.ts). */
import { sql, type Transaction } from 'kysely';
import type { ConnectionFields } from '#sdk/connections.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import type { Vault } from '#db/vault.ts';
import { recordAudit } from './audit.ts';
import type { KeysetPage } from './keyset.ts';

export interface ConnectionRow {
  id: string;
  kind: string;
  description: string | null;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  extra: { [key: string]: Json };
  has_password: boolean;
  secret_keys: string[];
  created_at: Date;
  updated_at: Date;
  updated_by: string;
}

/** What is sealed of one. */
export interface ConnectionSecrets {
  password: string | null;
  extra: { [key: string]: Json };
}

const COLUMNS = [
  'id',
  'kind',
  'description',
  'host',
  'port',
  'schema',
  'login',
  sql<{ [key: string]: Json }>`extra`.as('extra'),
  'has_password',
  'secret_keys',
  'created_at',
  'updated_at',
  'updated_by',
] as const;

export async function findConnections(db: Db, ids: readonly string[]): Promise<ConnectionRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('connection').select(COLUMNS).where('id', 'in', ids).execute();
}

/** By id. */
export async function listConnections(
  db: Db,
  { search, kind }: { search: string | null; kind: string | null },
  page: KeysetPage<string>,
): Promise<ConnectionRow[]> {
  let query = db.selectFrom('connection').select(COLUMNS);
  if (search) query = query.where('id', 'ilike', `%${search.replace(/[\\%_]/g, '\\$&')}%`);
  if (kind) query = query.where('kind', '=', kind);
  if (page.after !== undefined) query = query.where('id', '>', page.after);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return query
    .orderBy('id', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

/** Where the secrets of a connection lie, for the vault. */
export const connectionPlace = (id: string): string => `connection:${id}`;

/** Undefined: there is one of this id already. */
export async function createConnection(
  db: Db,
  vault: Vault,
  { id, ...fields }: ConnectionFields & { id: string },
  actor: string,
): Promise<ConnectionRow | undefined> {
  const { password, secretExtra, extra, ...open } = fields;
  const secrets = { password, extra: secretExtra };
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('connection')
      .values({ id, ...open, extra: JSON.stringify(extra), ...sealedColumns(vault, id, secrets), updated_by: actor })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning(COLUMNS)
      .executeTakeFirst();
    const detail = { kind: fields.kind, password: password !== null, secretKeys: Object.keys(secretExtra) };
    if (row) await recordAudit(trx, { actor, action: 'create_connection', object: id, detail });
    return row;
  });
}

/** What is not given stays as it is. `check` sees the connection as it would be, and throws if it may not be so. */
export async function updateConnection(
  db: Db,
  vault: Vault,
  id: string,
  change: Partial<ConnectionFields>,
  { actor, check }: { actor: string; check(merged: ConnectionFields): void },
): Promise<ConnectionRow | undefined> {
  const { password, secretExtra, extra, ...open } = change;
  return db.transaction().execute(async (trx) => {
    const known = await lockConnection(trx, id);
    if (!known) return undefined;
    const before = (): ConnectionSecrets => openSecrets(vault, id, known.sealed);
    // Both anew: the old ones need not be readable
    const old = password !== undefined && secretExtra !== undefined ? NO_SECRETS : before;
    const touched = password !== undefined || secretExtra !== undefined;
    const secrets = touched
      ? { password: password === undefined ? old().password : password, extra: secretExtra ?? old().extra }
      : null;
    check(merge(known, change, secrets));
    const row = await trx
      .updateTable('connection')
      .set({
        ...open,
        ...(extra && { extra: JSON.stringify(extra) }),
        ...(secrets && sealedColumns(vault, id, secrets)),
        updated_at: sql<Date>`now()`,
        updated_by: actor,
      })
      .where('id', '=', id)
      .returning(COLUMNS)
      .executeTakeFirstOrThrow();
    await recordAudit(trx, { actor, action: 'update_connection', object: id, detail: { fields: Object.keys(change) } });
    return row;
  });
}

const NO_SECRETS = (): ConnectionSecrets => ({ password: null, extra: {} });

const lockConnection = (trx: Transaction<DB>, id: string) =>
  trx
    .selectFrom('connection')
    .select([...COLUMNS, 'sealed'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();

/** For a look at what it would become; that there is a password counts, not which. */
function merge(known: ConnectionRow, change: Partial<ConnectionFields>, secrets: ConnectionSecrets | null) {
  const { kind, description, host, port, schema, login, extra } = known;
  const before = { kind: kind as ConnectionFields['kind'], description, host, port, schema, login, extra };
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const password = secrets ? secrets.password : known.has_password ? '*' : null;
  return { ...before, secretExtra: {}, ...given, password } as ConnectionFields;
}

function sealedColumns(vault: Vault, id: string, secrets: ConnectionSecrets) {
  const keys = Object.keys(secrets.extra).sort();
  const isEmpty = secrets.password === null && keys.length === 0;
  return {
    sealed: isEmpty ? null : vault.seal(JSON.stringify(secrets), connectionPlace(id)),
    has_password: secrets.password !== null,
    secret_keys: keys,
  };
}

const openSecrets = (vault: Vault, id: string, sealed: Buffer | null): ConnectionSecrets =>
  sealed === null ? NO_SECRETS() : (JSON.parse(vault.open(sealed, connectionPlace(id))) as ConnectionSecrets);

/** False: there is none. */
export async function deleteConnection(db: Db, id: string, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx.deleteFrom('connection').where('id', '=', id).returning('id').executeTakeFirst();
    if (row) await recordAudit(trx, { actor, action: 'delete_connection', object: id });
    return row !== undefined;
  });
}

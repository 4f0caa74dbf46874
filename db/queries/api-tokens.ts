/** API tokens, by the SHA-256 of the whole token. */
import { sql, type Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { ApiToken } from '#db/types.ts';
import { notifyAccessChanged } from './access.ts';
import type { KeysetPage } from './keyset.ts';

export type ApiTokenRole = 'viewer' | 'editor' | 'admin' | 'worker';
export type ApiTokenRow = Omit<Selectable<ApiToken>, 'role' | 'token_hash'> & { role: ApiTokenRole };

const COLUMNS = [
  'id',
  'name',
  'created_by',
  'created_at',
  'expires_at',
  'last_used_at',
  'revoked_at',
  sql<ApiTokenRole>`role`.as('role'),
] as const;

/** The id is part of the token, so it is taken first. */
export async function nextApiTokenId(db: Db): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select nextval(pg_get_serial_sequence('api_token', 'id')) as id`.execute(db);
  return rows[0]?.id ?? 0;
}

export interface NewApiToken {
  id: number;
  tokenHash: string;
  name: string;
  role: ApiTokenRole;
  createdBy: string | null;
  expiresInSeconds: number;
}

export async function insertApiToken(db: Db, token: NewApiToken): Promise<ApiTokenRow> {
  const { rows } = await sql<ApiTokenRow>`
    insert into api_token (id, token_hash, name, role, created_by, expires_at) overriding system value
    values (${token.id}, ${token.tokenHash}, ${token.name}, ${token.role}, ${token.createdBy},
      now() + ${token.expiresInSeconds} * interval '1 second')
    returning id, name, role, created_by, created_at, expires_at, last_used_at, revoked_at`.execute(db);
  const row = rows[0];
  if (!row) throw new Error(`The token "${token.name}" was not stored.`);
  return row;
}

/** A token that still holds. */
export async function findApiToken(db: Db, id: number): Promise<(ApiTokenRow & { token_hash: string }) | undefined> {
  return db
    .selectFrom('api_token')
    .select([...COLUMNS, 'token_hash'])
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirst();
}

/** At most one write a minute. */
export async function touchApiToken(db: Db, id: number): Promise<void> {
  await sql`update api_token set last_used_at = now()
    where id = ${id} and (last_used_at is null or last_used_at < now() - interval '1 minute')`.execute(db);
}

/** Those that have ended too. */
export async function findApiTokens(db: Db, ids: readonly number[]): Promise<ApiTokenRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('api_token').select(COLUMNS).where('id', 'in', ids).execute();
}

/** Newest first. */
export async function listApiTokens(db: Db, page: KeysetPage<number>): Promise<ApiTokenRow[]> {
  let query = db.selectFrom('api_token').select(COLUMNS);
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  if (page.before !== undefined) query = query.where('id', '>', page.before);
  return query
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

/** Undefined: there is no such token. */
export async function revokeApiToken(db: Db, id: number): Promise<ApiTokenRow | undefined> {
  const row = await db
    .updateTable('api_token')
    .set((eb) => ({ revoked_at: eb.fn.coalesce('revoked_at', sql<Date>`now()`) }))
    .where('id', '=', id)
    .returning(COLUMNS)
    .executeTakeFirst();
  if (row) await notifyAccessChanged(db);
  return row;
}

/** Browser sessions. The cookie's value is never stored, only its SHA-256. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { notifyAccessChanged } from './access.ts';
import type { UserRole } from './users.ts';

export interface SessionRow {
  token_hash: string;
  user_id: number;
  name: string;
  role: UserRole;
  expires_at: Date;
}

export interface SessionLimits {
  /** Unused for so long, a session is over. */
  idleSeconds: number;
  absoluteSeconds: number;
}

export async function insertSession(
  db: Db,
  { tokenHash, userId }: { tokenHash: string; userId: number },
  { absoluteSeconds }: SessionLimits,
): Promise<void> {
  const expiresAt = sql<Date>`now() + ${absoluteSeconds} * interval '1 second'`;
  await db.insertInto('session').values({ token_hash: tokenHash, user_id: userId, expires_at: expiresAt }).execute();
}

/** A session that still holds, of a user who may sign in. `expires_at` is when it ends if it is not used again. */
export async function findSession(
  db: Db,
  tokenHash: string,
  { idleSeconds }: SessionLimits,
): Promise<SessionRow | undefined> {
  const { rows } = await sql<SessionRow>`
    select s.token_hash, s.user_id, u.name, u.role,
      least(s.expires_at, s.last_used_at + ${idleSeconds} * interval '1 second') as expires_at
    from session s join app_user u on u.id = s.user_id
    where s.token_hash = ${tokenHash} and not u.disabled
      and least(s.expires_at, s.last_used_at + ${idleSeconds} * interval '1 second') > now()`.execute(db);
  return rows[0];
}

/** At most one write a minute. */
export async function touchSession(db: Db, tokenHash: string): Promise<void> {
  await db
    .updateTable('session')
    .set({ last_used_at: sql`now()` })
    .where('token_hash', '=', tokenHash)
    .where('last_used_at', '<', sql<Date>`now() - interval '1 minute'`)
    .execute();
}

/** Of one session or of all of a user. The open sockets of every server hear of it. */
export async function deleteSessions(db: Db, which: { tokenHash: string } | { userId: number }): Promise<number> {
  let query = db.deleteFrom('session').returning('token_hash');
  query =
    'tokenHash' in which ? query.where('token_hash', '=', which.tokenHash) : query.where('user_id', '=', which.userId);
  const gone = await query.execute();
  if (gone.length > 0) await notifyAccessChanged(db);
  return gone.length;
}

export async function deleteExpiredSessions(db: Db, { idleSeconds }: SessionLimits): Promise<void> {
  await sql`delete from session where least(expires_at, last_used_at + ${idleSeconds} * interval '1 second') < now()`.execute(
    db,
  );
}

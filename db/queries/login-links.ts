/** One-time sign-in links, by the SHA-256 of their token. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

export async function insertLoginLink(
  db: Db,
  { tokenHash, userId, seconds }: { tokenHash: string; userId: number; seconds: number },
): Promise<void> {
  await db
    .deleteFrom('login_link')
    .where('expires_at', '<', sql<Date>`now()`)
    .execute();
  await db
    .insertInto('login_link')
    .values({
      token_hash: tokenHash,
      user_id: userId,
      expires_at: sql<Date>`now() + ${seconds} * interval '1 second'`,
    })
    .execute();
}

/** The user it signs in, exactly once. */
export async function useLoginLink(db: Db, tokenHash: string): Promise<{ userId: number; name: string } | undefined> {
  const { rows } = await sql<{ userId: number; name: string }>`
    update login_link l set used_at = now() from app_user u
    where l.token_hash = ${tokenHash} and l.used_at is null and l.expires_at > now() and u.id = l.user_id and not u.disabled
    returning u.id as "userId", u.name`.execute(db);
  return rows[0];
}

import type { Db } from '#db/client.ts';
import { recordAudit } from '#db/queries/audit.ts';
import {
  deleteExpiredSessions,
  deleteSessions,
  findSession,
  insertSession,
  type SessionLimits,
} from '#db/queries/sessions.ts';
import type { Viewer } from '#schema/context.ts';
import { hashSecret, newSecret } from './secret.ts';

export const SESSION_LIMITS: SessionLimits = { idleSeconds: 12 * 3_600, absoluteSeconds: 7 * 86_400 };

/** A new session and the value of its cookie. */
export async function startSession(db: Db, user: { id: number; name: string }, how: string): Promise<string> {
  const token = newSecret();
  await db.transaction().execute(async (trx) => {
    // Whoever comes in sweeps up after those who have gone
    await deleteExpiredSessions(trx, SESSION_LIMITS);
    await insertSession(trx, { tokenHash: hashSecret(token), userId: user.id }, SESSION_LIMITS);
    await recordAudit(trx, { actor: user.name, action: 'sign_in', object: user.name, detail: { how } });
  });
  return token;
}

/** By the hash of its cookie. */
export async function findSessionViewer(db: Db, tokenHash: string): Promise<Viewer | null> {
  const session = await findSession(db, tokenHash, SESSION_LIMITS);
  if (!session) return null;
  return {
    name: session.name,
    role: session.role,
    dispatchId: null,
    credential: { kind: 'session', tokenHash },
    expiresAt: session.expires_at,
  };
}

export async function endSession(db: Db, tokenHash: string): Promise<void> {
  await deleteSessions(db, { tokenHash });
}

/** People and programs that get access: for the command line, which runs beside the database. */
import type { Db } from '#db/client.ts';
import { insertApiToken, nextApiTokenId, type ApiTokenRole, type ApiTokenRow } from '#db/queries/api-tokens.ts';
import { recordAudit } from '#db/queries/audit.ts';
import { insertLoginLink } from '#db/queries/login-links.ts';
import { findUserByName, insertUser, type UserRole, type UserRow } from '#db/queries/users.ts';
import { hashPassword } from './password.ts';
import { hashSecret, newSecret } from './secret.ts';

export interface NewUser {
  name: string;
  role: UserRole;
  /** Null: signs in by links only. */
  password: string | null;
  /** Who makes it. */
  actor: string;
}

const SHORTEST_PASSWORD = 12;

/** Undefined: the name is taken. */
export async function createUser(db: Db, { name, role, password, actor }: NewUser): Promise<UserRow | undefined> {
  if (password !== null && password.length < SHORTEST_PASSWORD)
    throw new Error(`The password of "${name}" is too short: at least ${SHORTEST_PASSWORD} characters.`);
  const passwordHash = password === null ? null : await hashPassword(password);
  return db.transaction().execute(async (trx) => {
    const user = await insertUser(trx, { name, role, passwordHash });
    if (user) await recordAudit(trx, { actor, action: 'create_user', object: name, detail: { role } });
    return user;
  });
}

const LINK_SECONDS = 15 * 60;

/** The path and query of a link that signs this user in, once. A user who is not there is made, without a password. */
export async function createLoginLink(
  db: Db,
  user: { name: string; role: UserRole },
  { seconds = LINK_SECONDS, actor = 'console' }: { seconds?: number; actor?: string } = {},
): Promise<string> {
  const found = (await createUser(db, { ...user, password: null, actor })) ?? (await findUserByName(db, user.name));
  if (!found) throw new Error(`The user "${user.name}" is not there any more. Try again.`);
  if (found.disabled) throw new Error(`The user "${user.name}" is disabled.`);
  const token = newSecret();
  await insertLoginLink(db, { tokenHash: hashSecret(token), userId: found.id, seconds });
  return `/login?token=${token}`;
}

export interface ApiTokenRequest {
  name: string;
  role: ApiTokenRole;
  expiresInDays: number;
  /** Who makes it. */
  actor: string;
}

/** `mr_<id>_<secret>`; only its hash is kept. */
export async function createApiToken(
  db: Db,
  { name, role, expiresInDays, actor }: ApiTokenRequest,
): Promise<{ token: string; row: ApiTokenRow }> {
  return db.transaction().execute(async (trx) => {
    const id = await nextApiTokenId(trx);
    const token = `mr_${id}_${newSecret()}`;
    const expiresInSeconds = Math.round(expiresInDays * 86_400);
    const row = await insertApiToken(trx, {
      id,
      tokenHash: hashSecret(token),
      name,
      role,
      createdBy: actor,
      expiresInSeconds,
    });
    await recordAudit(trx, {
      actor,
      action: 'create_api_token',
      object: `token ${id}`,
      detail: { name, role, expiresInDays },
    });
    return { token, row };
  });
}

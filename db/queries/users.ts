/** People who sign in. */
import type { Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { AppUser } from '#db/types.ts';
import { notifyAccessChanged } from './access.ts';

export type UserRow = Selectable<AppUser>;
export type UserRole = 'viewer' | 'editor' | 'admin';

export async function findUserByName(db: Db, name: string): Promise<UserRow | undefined> {
  return db.selectFrom('app_user').selectAll().where('name', '=', name).executeTakeFirst();
}

/** Undefined: the name is taken. */
export async function insertUser(
  db: Db,
  user: { name: string; role: UserRole; passwordHash: string | null },
): Promise<UserRow | undefined> {
  return db
    .insertInto('app_user')
    .values({ name: user.name, role: user.role, password_hash: user.passwordHash })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** A new password or being disabled ends all sessions; a new role holds at once. */
export async function updateUser(
  db: Db,
  userId: number,
  change: { role?: UserRole; disabled?: boolean; passwordHash?: string | null },
): Promise<void> {
  const { passwordHash, ...rest } = change;
  const values = { ...rest, ...(passwordHash === undefined ? {} : { password_hash: passwordHash }) };
  await db.transaction().execute(async (trx) => {
    await trx.updateTable('app_user').set(values).where('id', '=', userId).execute();
    if (passwordHash !== undefined || change.disabled)
      await trx.deleteFrom('session').where('user_id', '=', userId).execute();
    await notifyAccessChanged(trx);
  });
}

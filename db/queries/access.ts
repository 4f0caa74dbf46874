import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** Every server looks again at the credentials behind its open connections, and forgets those that it remembers. */
export async function notifyAccessChanged(db: Db): Promise<void> {
  await sql`select pg_notify('millrace_access', '')`.execute(db);
}

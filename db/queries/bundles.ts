/** Archives of DAG code, for reading. */
import type { Db } from '#db/client.ts';

export async function readBundle(db: Db, hash: string): Promise<Buffer | undefined> {
  const row = await db.selectFrom('bundle').select('archive').where('hash', '=', hash).executeTakeFirst();
  return row?.archive;
}

import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** Retention has been there: logs of the run's DAG are gone up to this run at least. */
export async function wereLogsDeleted(db: Db, runId: number): Promise<boolean> {
  const { rows } = await sql`
    select from dag_run r join retention_mark m on m.dag_id = r.dag_id
    where r.id = ${runId} and m.what in ('logs', 'logBytes') and m.run_id >= r.id`.execute(db);
  return rows.length > 0;
}

/** What belongs to no run, and has been kept long enough. */
import { sql, type RawBuilder } from 'kysely';
import type { Db } from '#db/client.ts';

export const OLD_ROWS = ['bundles', 'audit', 'asset_events', 'dag_events', 'jobs'] as const;
export type OldRows = (typeof OLD_ROWS)[number];

const BATCH = 1_000;
const before = (seconds: number) => sql`now() - ${seconds} * interval '1 second'`;

/** Which rows go: the table, its key, and the condition on row `o`. */
const SELECTIONS: {
  [what in OldRows]: (seconds: number) => { table: string; key: string; condition: RawBuilder<unknown> }[];
} = {
  // Versions that are no DAG's current one and that nothing was ever run of, or no more; then code that no version is made of
  bundles: (seconds) => [
    {
      table: 'dag_version',
      key: 'id',
      condition: sql`o.created_at < ${before(seconds)}
        and not exists (select from dag d where d.version_id = o.id)
        and not exists (select from dag_run r where r.dag_id = o.dag_id and r.version_id = o.id)
        and not exists (select from backfill b where b.version_id = o.id)
        and not exists (select from deadline l where l.dag_id = o.dag_id and l.version_id = o.id)`,
    },
    {
      table: 'bundle',
      key: 'hash',
      condition: sql`o.created_at < ${before(seconds)} and not exists (select from dag_version v where v.bundle_hash = o.hash)`,
    },
  ],
  audit: (seconds) => [{ table: 'audit_event', key: 'id', condition: sql`o.at < ${before(seconds)}` }],
  // What a run is to be made for is still needed
  asset_events: (seconds) => [
    {
      table: 'asset_event',
      key: 'id',
      condition: sql`o.at < ${before(seconds)} and not exists (select from asset_pending p where p.event_id = o.id)`,
    },
  ],
  dag_events: (seconds) => [{ table: 'event_dag', key: 'ctid', condition: sql`o.at < ${before(seconds)}` }],
  jobs: (seconds) => [
    { table: 'backfill', key: 'id', condition: sql`o.ended_at < ${before(seconds)}` },
    { table: 'bulk_job', key: 'id', condition: sql`o.ended_at < ${before(seconds)}` },
    { table: 'retention_run', key: 'id', condition: sql`o.ended_at < ${before(seconds)}` },
  ],
};

/** Some at a time; says how many. */
export async function deleteOldRows(db: Db, what: OldRows, seconds: number): Promise<number> {
  let count = 0;
  for (const { table, key, condition } of SELECTIONS[what](seconds)) {
    const { numAffectedRows } = await sql`
      delete from ${sql.table(table)} where ${sql.ref(key)} = any(array(
        select ${sql.ref(`o.${key}`)} from ${sql.table(table)} o where ${condition} limit ${BATCH}))`.execute(db);
    count += Number(numAffectedRows ?? 0);
  }
  return count;
}

export async function countOldRows(db: Db, what: OldRows, seconds: number): Promise<number> {
  let count = 0;
  for (const { table, condition } of SELECTIONS[what](seconds)) {
    const { rows } = await sql<{ count: number }>`
      select count(*) from ${sql.table(table)} o where ${condition}`.execute(db);
    count += rows[0]?.count ?? 0;
  }
  return count;
}

/** How long things are kept: what the service says, and what DAGs say instead. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** What can be kept for a time. */
export const RETAINED = ['runs', 'logs', 'results', 'bundles', 'audit', 'asset_events', 'dag_events', 'jobs'] as const;
export type Retained = (typeof RETAINED)[number];
/** Seconds; null: for ever. */
export type RetentionPolicies = { [what in Retained]: number | null };

export async function setRetentionPolicies(db: Db, policies: RetentionPolicies): Promise<void> {
  const given = RETAINED.flatMap((what) => (policies[what] === null ? [] : [{ what, seconds: policies[what] }]));
  await db.transaction().execute(async (trx) => {
    await sql`delete from retention_policy where what <> all(${given.map(({ what }) => what)}::text[])`.execute(trx);
    await sql`
      insert into retention_policy (what, seconds)
      select * from unnest(${given.map(({ what }) => what)}::text[], ${given.map(({ seconds }) => Math.ceil(seconds))}::bigint[])
      on conflict (what) do update set seconds = excluded.seconds where retention_policy.seconds <> excluded.seconds`.execute(
      trx,
    );
  });
}

export async function readRetentionPolicies(db: Db): Promise<RetentionPolicies> {
  const { rows } = await sql<{ what: Retained; seconds: number }>`select what, seconds from retention_policy`.execute(
    db,
  );
  const found = new Map(rows.map(({ what, seconds }) => [what, seconds]));
  return Object.fromEntries(RETAINED.map((what) => [what, found.get(what) ?? null])) as RetentionPolicies;
}

export interface DagPolicy {
  dagId: number;
  name: string;
  /** Seconds after their end; null: for ever. */
  runs: number | null;
  logs: number | null;
  results: number | null;
  /** The newest runs are kept however old they are. */
  keepLast: number;
  /** Of text, of all logs of the DAG; null: any. */
  logBytes: number | null;
}

/** DAGs of which anything is ever deleted. */
export async function listDagPolicies(db: Db): Promise<DagPolicy[]> {
  const own = (what: string) => sql`
    case when d.retention ->> ${what}::text = 'forever' then null
      else coalesce((d.retention ->> ${what}::text)::float8, (select seconds from retention_policy where what = ${what}::text)) end`;
  const { rows } = await sql<DagPolicy>`
    select * from (
      select d.id as "dagId", d.name, ${own('runs')} as runs, ${own('logs')} as logs, ${own('results')} as results,
        coalesce((d.retention ->> 'keepLast')::int, 0) as "keepLast", (d.retention ->> 'logBytes')::bigint as "logBytes"
      from dag d) p
    where p.runs is not null or p.logs is not null or p.results is not null or p."logBytes" is not null order by p."dagId"`.execute(
    db,
  );
  return rows;
}

/** Runs that have the same key as others: those for which there is no place. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

export interface SupersededRun {
  runId: number;
  /** For which run, or whose place it would have needed. */
  by: number;
  key: string;
  strategy: 'cancel_in_progress' | 'cancel_newest';
}

/**
 * Of each key the runs beyond its limit: the oldest where new runs take the place of others, the newest where they find it taken; among
 * those, what runs already goes before what is queued. Null: of all DAGs.
 */
export async function supersededRuns(db: Db, dagIds: readonly number[] | null): Promise<SupersededRun[]> {
  const { rows } = await sql<SupersededRun>`
    select x.id as "runId", x.key, d.concurrency_strategy as strategy,
      case d.concurrency_strategy when 'cancel_in_progress' then x.newest else x.first end as by
    from dag d, lateral (
      select id, concurrency_key as key, max(id) over w as newest,
        first_value(id) over (w order by state = 'running' desc, id) as first,
        row_number() over (w order by id desc) as from_newest, row_number() over (w order by state = 'running' desc, id) as from_first
      from dag_run where dag_id = d.id and state in ('queued', 'running') and concurrency_key is not null
      window w as (partition by concurrency_key)) x
    where d.concurrency_strategy in ('cancel_in_progress', 'cancel_newest') and ${dagIds === null ? sql`true` : sql`d.id = any(${dagIds}::bigint[])`}
      and case d.concurrency_strategy when 'cancel_in_progress' then x.from_newest else x.from_first end > d.concurrency_limit
    order by x.id limit 1000`.execute(db);
  return rows;
}

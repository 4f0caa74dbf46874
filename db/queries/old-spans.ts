/** Partitions of days whose runs have all gone. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { PARTITIONED, PARTITIONS_LOCK } from './partitions.ts';
import type { DagPolicy } from './retention-policy.ts';

export interface OldSpan {
  /** As in the names of its partitions. */
  name: string;
  from: number;
  to: number;
  /** Of all its partitions. */
  bytes: number;
  hasRuns: boolean;
}

/** Spans that lie wholly in the past, oldest first. */
export async function listOldSpans(db: Db): Promise<OldSpan[]> {
  const { rows } = await sql<OldSpan>`
    with part as (
      select substring(c.relname from length('task_instance_') + 1) as name,
        (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''?(\\d+)''?\\) TO \\(''?(\\d+)''?\\)')) as bounds
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'task_instance'::regclass)
    select p.name, p.bounds[1]::bigint as "from", p.bounds[2]::bigint as "to",
      (select coalesce(sum(pg_total_relation_size(to_regclass(t || '_' || p.name))), 0)::bigint
        from unnest(${Object.keys(PARTITIONED)}::text[]) t where to_regclass(t || '_' || p.name) is not null) as bytes,
      exists (select from dag_run r where r.id >= p.bounds[1]::bigint and r.id < p.bounds[2]::bigint) as "hasRuns"
    from part p
    where p.bounds is not null and p.bounds[2]::bigint <= ((extract(epoch from now())::bigint / 86400) << 36)
    order by p.bounds[1]::bigint`.execute(db);
  return rows;
}

/** How many runs the span has, if each has ended before its DAG's time; null: one has not. */
export async function isSpanAged(
  db: Db,
  { from, to }: Pick<OldSpan, 'from' | 'to'>,
  policies: readonly Pick<DagPolicy, 'dagId' | 'runs'>[],
): Promise<{ runs: number } | null> {
  const some = policies.flatMap(({ dagId, runs }) => (runs === null ? [] : [{ dagId, runs }]));
  const { rows: young } = await sql`
    select from dag_run r left join unnest(${some.map(({ dagId }) => dagId)}::bigint[], ${some.map(({ runs }) => runs)}::float8[])
      p(dag_id, seconds) on p.dag_id = r.dag_id
    where r.id >= ${from} and r.id < ${to}
      and (p.dag_id is null or r.ended_at is null or r.ended_at >= now() - p.seconds * interval '1 second') limit 1`.execute(
    db,
  );
  if (young.length > 0) return null;
  const { rows } = await sql<{ runs: number }>`
    select count(*) as runs from dag_run r where r.id >= ${from} and r.id < ${to}`.execute(db);
  return rows[0] ?? null;
}

/** Drops the partitions of a span without runs. False: it has one, or the tables are in use: another time. */
export async function dropSpan(db: Db, { name, from, to }: Pick<OldSpan, 'name' | 'from' | 'to'>): Promise<boolean> {
  if (!/^\d{8}$/.test(name)) throw new Error(`"${name}" is no span of days.`);
  try {
    return await db.transaction().execute(async (trx) => {
      // Below the time after which PostgreSQL looks for deadlocks: whoever writes never waits for long
      await sql`set local lock_timeout = '500ms'`.execute(trx);
      await sql`select pg_advisory_xact_lock(${PARTITIONS_LOCK})`.execute(trx);
      const { rows } = await sql`select from dag_run where id >= ${from} and id < ${to} limit 1`.execute(trx);
      if (rows.length > 0) return false;
      await sql`insert into log_trash (store, key) select store, key from ${sql.table(`log_archive_${name}`)}`.execute(
        trx,
      );
      for (const table of Object.keys(PARTITIONED))
        await sql`drop table if exists ${sql.table(`${table}_${name}`)}`.execute(trx);
      return true;
    });
  } catch (error) {
    if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

const LOCK_NOT_AVAILABLE = '55P03';

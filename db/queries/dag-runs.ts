/** Runs, for reading. Newest first: a run id grows with time. */
import { sql, type Selectable } from 'kysely';
import type { RunState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { DagRun } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export type DagRunRow = Selectable<DagRun>;

export async function findDagRuns(db: Db, runIds: readonly number[]): Promise<DagRunRow[]> {
  if (runIds.length === 0) return [];
  return db.selectFrom('dag_run').selectAll().where('id', 'in', runIds).execute();
}

export interface DagRunFilter {
  dagId?: number | null;
  state?: RunState | null;
}

export async function listDagRuns(db: Db, filter: DagRunFilter, page: KeysetPage<number>): Promise<DagRunRow[]> {
  let query = db.selectFrom('dag_run').selectAll();
  if (filter.dagId != null) query = query.where('dag_id', '=', filter.dagId);
  if (filter.state) query = query.where('state', '=', filter.state);
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  if (page.before !== undefined) query = query.where('id', '>', page.before);
  return query
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
}

/** The newest runs of each DAG. */
export async function listRecentRuns(
  db: Db,
  dagIds: readonly number[],
  perDag: number,
): Promise<Map<number, DagRunRow[]>> {
  const { rows } = await sql<DagRunRow>`
    select r.* from unnest(${dagIds}::bigint[]) d(id),
      lateral (select * from dag_run where dag_id = d.id order by id desc limit ${perDag}) r`.execute(db);
  const runs = new Map<number, DagRunRow[]>();
  for (const row of rows) runs.set(row.dag_id, [...(runs.get(row.dag_id) ?? []), row]);
  return runs;
}

/** Null: the run is unknown. */
export async function readEventSeq(db: Db, runId: number): Promise<number | null> {
  const row = await db.selectFrom('dag_run').select('event_seq').where('id', '=', runId).executeTakeFirst();
  return row?.event_seq ?? null;
}

/** The DAG (row id) of each run. */
export async function findDagsOfRuns(db: Db, runIds: readonly number[]): Promise<Map<number, number>> {
  if (runIds.length === 0) return new Map();
  const rows = await db.selectFrom('dag_run').select(['id', 'dag_id']).where('id', 'in', runIds).execute();
  return new Map(rows.map((row) => [row.id, row.dag_id]));
}

/** The code that the tasks of a run are started from; undefined when there is no such run. */
export async function findBundleOfRun(db: Db, runId: number): Promise<string | null | undefined> {
  const row = await db
    .selectFrom('dag_run as r')
    .innerJoin('dag_version as v', 'v.id', 'r.version_id')
    .select('v.bundle_hash')
    .where('r.id', '=', runId)
    .executeTakeFirst();
  return row && row.bundle_hash;
}

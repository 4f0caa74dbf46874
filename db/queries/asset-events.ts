/** Updates of assets, and the runs that follow from them, in one transaction. */
import { CompiledQuery, sql, type Transaction } from 'kysely';
import { isMet } from '#sdk/asset-expression.ts';
import type { ScheduleSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { CREATE_RUNS } from './task-transitions/create-runs.ts';

/** The task that updated an asset. */
export interface AssetSource {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  tryNumber: number;
  taskId: string;
}

export interface NewAssetEvent {
  asset: string;
  extra: { [key: string]: Json };
  /** A task, or who said so from outside. */
  by: AssetSource | { actor: string; idempotencyKey: string | null };
}

/** Who must hear of it once it is committed: see millrace_asset. */
export interface AssetNotice {
  /** DAGs that have new runs. */
  dags: number[];
  /** Assets that were updated. */
  assets: number[];
}

/**
 * Records updates of known assets, and creates the runs whose DAGs have what they wait for. An update that is known already (same task
 * and try, same idempotency key) does nothing. DAGs that are paused or inactive take no note. Gives the ids of the new events.
 */
export async function recordAssetEvents(trx: Transaction<DB>, events: readonly NewAssetEvent[]): Promise<number[]> {
  const inserted = await insertEvents(trx, events);
  if (inserted.length === 0) return [];
  const dagIds = await addPending(trx, inserted);
  const created = dagIds.length > 0 ? await createAssetRuns(trx, dagIds) : [];
  await tell(trx, created, [...new Set(inserted.map((event) => event.asset_id))]);
  return inserted.map((event) => event.id);
}

async function insertEvents(
  trx: Transaction<DB>,
  events: readonly NewAssetEvent[],
): Promise<{ id: number; asset_id: number }[]> {
  const task = <T>(pick: (source: AssetSource) => T) => events.map(({ by }) => ('runId' in by ? pick(by) : null));
  const outside = <T>(pick: (by: { actor: string; idempotencyKey: string | null }) => T) =>
    events.map(({ by }) => ('actor' in by ? pick(by) : null));
  const { rows } = await sql<{ id: number; asset_id: number }>`
    insert into asset_event (asset_id, extra, run_id, task_index, map_index, try_number, task_id, created_by, idempotency_key, dag_name, run_key)
    select a.id, q.extra, q.run_id, q.task_index, q.map_index, q.try_number, q.task_id, q.created_by, q.idempotency_key, d.name, r.run_key
    from unnest(${events.map((event) => event.asset)}::text[], ${events.map((event) => JSON.stringify(event.extra))}::jsonb[],
        ${task((by) => by.runId)}::bigint[], ${task((by) => by.taskIndex)}::int[], ${task((by) => by.mapIndex)}::int[],
        ${task((by) => by.tryNumber)}::int[], ${task((by) => by.taskId)}::text[],
        ${outside((by) => by.actor)}::text[], ${outside((by) => by.idempotencyKey)}::text[])
      with ordinality q(asset, extra, run_id, task_index, map_index, try_number, task_id, created_by, idempotency_key, n)
      join asset a on a.name = q.asset
      left join dag_run r on r.id = q.run_id
      left join dag d on d.id = r.dag_id
    order by q.n
    on conflict do nothing returning id, asset_id`.execute(trx);
  return rows;
}

/** For the DAGs that wait for them; gives those. */
async function addPending(
  trx: Transaction<DB>,
  events: readonly { id: number; asset_id: number }[],
): Promise<number[]> {
  const { rows } = await sql<{ dag_id: number }>`
    with p as (
      insert into asset_pending (dag_id, asset_id, event_id)
      select c.dag_id, e.asset_id, e.id
      from unnest(${events.map((event) => event.id)}::bigint[], ${events.map((event) => event.asset_id)}::bigint[]) e(id, asset_id)
        join asset_consumer c on c.asset_id = e.asset_id
        join dag d on d.id = c.dag_id and d.active and not d.paused
      returning dag_id)
    select distinct dag_id from p order by dag_id`.execute(trx);
  return rows.map((row) => row.dag_id);
}

interface WaitingDag {
  id: number;
  schedule: ScheduleSpec | null;
  updated: string[];
}

/** Of those DAGs that have all they wait for; gives the DAGs. */
async function createAssetRuns(trx: Transaction<DB>, dagIds: readonly number[]): Promise<number[]> {
  // Who adds to what a DAG waits for looks at it only under this lock, so the last one sees it all
  await sql`select id from dag where id = any(${dagIds}::bigint[]) order by id for no key update`.execute(trx);
  const { rows } = await sql<WaitingDag>`
    select d.id, v.spec -> 'schedule' as schedule,
      (select array_agg(distinct a.name) from asset_pending p join asset a on a.id = p.asset_id where p.dag_id = d.id) as updated
    from dag d join dag_version v on v.id = d.version_id
    where d.id = any(${dagIds}::bigint[]) and not d.paused and d.active order by d.id`.execute(trx);
  const met = rows.filter(
    ({ schedule, updated }) => schedule?.kind === 'assets' && isMet(schedule.expression, new Set(updated)),
  );
  if (met.length === 0) return [];
  const none = met.map(() => null);
  const ids = met.map((dag) => dag.id);
  const kinds = met.map(() => 'asset');
  const by = met.map(() => 'assets');
  const created = await trx.executeQuery<{ n: number; id: number }>(
    CompiledQuery.raw(CREATE_RUNS.text, [ids, none, kinds, none, none, none, none, none, by, none]),
  );
  const dagOf = (n: number) => ids[n - 1] ?? 0;
  await sql`
    with taken as (delete from asset_pending where dag_id = any(${ids}::bigint[]) returning dag_id, event_id)
    insert into asset_run_event (run_id, event_id)
    select r.run_id, t.event_id from taken t
      join unnest(${created.rows.map((row) => row.id)}::bigint[], ${created.rows.map((row) => dagOf(row.n))}::bigint[]) r(run_id, dag_id) using (dag_id)`.execute(
    trx,
  );
  return ids;
}

const MOST_IN_NOTICE = 300;

async function tell(trx: Transaction<DB>, dags: readonly number[], assets: readonly number[]): Promise<void> {
  for (let at = 0; at < Math.max(dags.length, assets.length); at += MOST_IN_NOTICE) {
    const part = (ids: readonly number[]) => ids.slice(at, at + MOST_IN_NOTICE);
    const notice: AssetNotice = { dags: part(dags), assets: part(assets) };
    await sql`select pg_notify('millrace_asset', ${JSON.stringify(notice)})`.execute(trx);
  }
}

/** Those of the DAGs that have, or had, tasks that update assets. */
export async function producingDags(db: Db, dagIds: readonly number[]): Promise<Set<number>> {
  const { rows } = await sql<{ dag_id: number }>`
    select q.dag_id from unnest(${[...dagIds]}::bigint[]) q(dag_id)
    where exists (select from asset_producer p where p.dag_id = q.dag_id)`.execute(db);
  return new Set(rows.map((row) => row.dag_id));
}

/** What tasks have said under a key beside their results, in their order. */
export async function saidUnder(
  db: Db,
  key: string,
  tasks: readonly Pick<AssetSource, 'runId' | 'taskIndex' | 'mapIndex'>[],
): Promise<(Json | undefined)[]> {
  const { rows } = await sql<{ n: number; value: Json }>`
    select q.n::int as n, x.value from unnest(${tasks.map((task) => task.runId)}::bigint[], ${tasks.map((task) => task.taskIndex)}::int[],
        ${tasks.map((task) => task.mapIndex)}::int[]) with ordinality q(run_id, task_index, map_index, n),
      lateral (select value from xcom x where x.run_id = q.run_id and x.task_index = q.task_index and x.map_index = q.map_index and x.key = ${key}) x`.execute(
    db,
  );
  const said: (Json | undefined)[] = tasks.map(() => undefined);
  for (const { n, value } of rows) said[n - 1] = value;
  return said;
}

/** Names the updates of an asset, for those who wait for one. */
export const assetKeyOf = (asset: string): string => `asset:${asset}`;

/** Makes due what waits for an update of these assets. After the commit: who comes to wait later looks at them himself. */
export async function wakeAssetWatchers(db: Db, assetIds: readonly number[]): Promise<void> {
  await sql`
    with w as (
      update trigger_wait set due_at = clock_timestamp()
      where watch_key = any(array(select 'asset:' || name from asset where id = any(${[...assetIds]}::bigint[]))) and due_at > clock_timestamp()
      returning 1)
    select pg_notify('millrace_trigger', '') from (select from w limit 1) x`.execute(db);
}

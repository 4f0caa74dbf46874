/** Assets, for reading: what they are, what updated them, what hangs together by them. */
import { sql, type Transaction } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { recordAssetEvents } from './asset-events.ts';
import { recordAudit } from './audit.ts';
import type { KeysetPage } from './keyset.ts';

export interface AssetRow {
  id: number;
  name: string;
  created_at: Date;
}
const COLUMNS = ['id', 'name', 'created_at'] as const;

export async function findAssets(db: Db, ids: readonly number[]): Promise<AssetRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('asset').select(COLUMNS).where('id', 'in', ids).execute();
}

export async function findAssetByName(db: Db, name: string): Promise<AssetRow | undefined> {
  return db.selectFrom('asset').select(COLUMNS).where('name', '=', name).executeTakeFirst();
}

/** By name. */
export async function listAssets(db: Db, search: string | null, page: KeysetPage<string>): Promise<AssetRow[]> {
  let query = db.selectFrom('asset').select(COLUMNS);
  if (search) query = query.where('name', 'ilike', `%${search.replace(/[\\%_]/g, '\\$&')}%`);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  if (page.before !== undefined) query = query.where('name', '<', page.before);
  return query
    .orderBy('name', page.inverted ? 'desc' : 'asc')
    .limit(page.limit)
    .execute();
}

export interface AssetEventRow {
  id: number;
  asset_id: number;
  at: Date;
  extra: { [key: string]: Json };
  run_id: number | null;
  map_index: number | null;
  try_number: number | null;
  dag_name: string | null;
  task_id: string | null;
  run_key: string | null;
  created_by: string | null;
}

const EVENT = sql`e.id, e.asset_id, e.at, e.extra, e.run_id, e.map_index, e.try_number, e.dag_name, e.task_id, e.run_key, e.created_by`;

export async function findAssetEvents(db: Db, ids: readonly number[]): Promise<AssetEventRow[]> {
  const { rows } =
    await sql<AssetEventRow>`select ${EVENT} from asset_event e where id = any(${[...ids]}::bigint[])`.execute(db);
  return rows;
}

/** Of one asset, or all; newest first. */
export async function listAssetEvents(
  db: Db,
  assetId: number | null,
  { after, before, limit, inverted }: KeysetPage<number>,
): Promise<AssetEventRow[]> {
  const { rows } = await sql<AssetEventRow>`
    select ${EVENT} from asset_event e
    where ${assetId === null ? sql`true` : sql`asset_id = ${assetId}`}
      and ${after === undefined ? sql`true` : sql`id < ${after}`} and ${before === undefined ? sql`true` : sql`id > ${before}`}
    order by id ${inverted ? sql`asc` : sql`desc`} limit ${limit}`.execute(db);
  return rows;
}

/** The newest of each asset. */
export async function lastAssetEvents(db: Db, assetIds: readonly number[]): Promise<AssetEventRow[]> {
  const { rows } = await sql<AssetEventRow>`
    select ${EVENT} from unnest(${[...assetIds]}::bigint[]) q(asset_id),
      lateral (select * from asset_event where asset_id = q.asset_id order by id desc limit 1) e`.execute(db);
  return rows;
}

/** The newest update of an asset after a time; undefined: there is none. */
export async function findUpdateSince(db: Db, asset: string, since: Date): Promise<AssetEventRow | undefined> {
  const { rows } = await sql<AssetEventRow>`
    select ${EVENT} from asset a,
      lateral (select * from asset_event where asset_id = a.id order by id desc limit 1) e
    where a.name = ${asset} and e.at >= ${since}`.execute(db);
  return rows[0];
}

/** What each run was made for, oldest first. */
export async function listRunAssetEvents(
  db: Db,
  runIds: readonly number[],
  mostOfEach: number,
): Promise<(AssetEventRow & { for_run: number })[]> {
  const { rows } = await sql<AssetEventRow & { for_run: number }>`
    select q.run_id as for_run, ${EVENT} from unnest(${[...runIds]}::bigint[]) q(run_id),
      lateral (select event_id from asset_run_event where run_id = q.run_id order by event_id desc limit ${mostOfEach}) l
      join asset_event e on e.id = l.event_id
    order by e.id`.execute(db);
  return rows;
}

/** A task that updates an asset, or (taskId null) a DAG that waits for it. */
export interface AssetLink {
  asset_id: number;
  asset: string;
  dag_id: number;
  dag: string;
  task_id: string | null;
}

/** Of these assets (null: of all), by asset, DAG and task; only DAGs as they are deployed now. */
export async function listAssetLinks(db: Db, assetIds: readonly number[] | null, most: number): Promise<AssetLink[]> {
  const wanted = assetIds === null ? sql`true` : sql`l.asset_id = any(${[...assetIds]}::bigint[])`;
  const { rows } = await sql<AssetLink>`
    select l.asset_id, a.name as asset, l.dag_id, d.name as dag, l.task_id from (
      select asset_id, dag_id, task_id from asset_producer where active
      union all select asset_id, dag_id, null from asset_consumer) l
      join asset a on a.id = l.asset_id join dag d on d.id = l.dag_id and d.active
    where ${wanted} order by a.name, d.name, l.task_id nulls last limit ${most}`.execute(db);
  return rows;
}

/** Assets that tasks of these DAGs update or that their schedules wait for. */
export async function assetsOfDags(db: Db, dagIds: readonly number[]): Promise<number[]> {
  const { rows } = await sql<{ asset_id: number }>`
    select asset_id from asset_producer where dag_id = any(${[...dagIds]}::bigint[]) and active
    union select asset_id from asset_consumer where dag_id = any(${[...dagIds]}::bigint[])`.execute(db);
  return rows.map((row) => row.asset_id);
}

export interface OutsideUpdate {
  asset: string;
  extra: { [key: string]: Json };
  idempotencyKey: string | null;
  actor: string;
}

/** Gives the event; that of the first time, when the key is known. Undefined: no DAG speaks of the asset. */
export async function createAssetEvent(db: Db, update: OutsideUpdate): Promise<AssetEventRow | undefined> {
  const { asset, extra, actor, idempotencyKey } = update;
  return db.transaction().execute(async (trx) => {
    const [created] = await recordAssetEvents(trx, [{ asset, extra, by: { actor, idempotencyKey } }]);
    if (created === undefined) return findByKey(trx, asset, idempotencyKey);
    const detail = { event: String(created) };
    await recordAudit(trx, { actor, action: 'create_asset_event', object: asset, detail });
    return (await findAssetEvents(trx, [created]))[0];
  });
}

async function findByKey(trx: Transaction<DB>, asset: string, key: string | null): Promise<AssetEventRow | undefined> {
  if (key === null) return undefined;
  const { rows } = await sql<AssetEventRow>`
    select ${EVENT} from asset_event e where e.asset_id = (select id from asset where name = ${asset}) and e.idempotency_key = ${key}`.execute(
    trx,
  );
  return rows[0];
}

/** Which DAGs and tasks an asset is known from: kept with each deployed version. */
import { sql, type Transaction } from 'kysely';
import { assetsOf } from '#sdk/asset-expression.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { DB } from '#db/types.ts';

/** Replaces what the DAG's former version said. The caller holds the DAG's row. */
export async function linkAssets(trx: Transaction<DB>, dagId: number, spec: DagSpec): Promise<void> {
  const outlets = spec.tasks.flatMap((task) => task.outlets.map((asset) => ({ taskId: task.taskId, asset })));
  const consumed = spec.schedule?.kind === 'assets' ? assetsOf(spec.schedule.expression) : [];
  const names = [...new Set([...outlets.map(({ asset }) => asset), ...consumed])].sort();
  if (names.length > 0)
    await sql`insert into asset (name) select name from unnest(${names}::text[]) n(name) order by name on conflict do nothing`.execute(
      trx,
    );
  await sql`update asset_producer set active = false where dag_id = ${dagId} and active`.execute(trx);
  if (outlets.length > 0)
    await sql`
      insert into asset_producer (dag_id, task_id, asset_id)
      select ${dagId}, o.task_id, a.id from unnest(${outlets.map(({ taskId }) => taskId)}::text[], ${outlets.map(({ asset }) => asset)}::text[]) o(task_id, name)
        join asset a on a.name = o.name
      on conflict (dag_id, task_id, asset_id) do update set active = true`.execute(trx);
  await sql`
    with gone as (
      delete from asset_consumer c where dag_id = ${dagId} and not exists (select from asset a where a.id = c.asset_id and a.name = any(${consumed}::text[]))
      returning asset_id)
    delete from asset_pending where dag_id = ${dagId} and asset_id in (select asset_id from gone)`.execute(trx);
  if (consumed.length > 0)
    await sql`
      insert into asset_consumer (dag_id, asset_id) select ${dagId}, id from asset where name = any(${consumed}::text[]) on conflict do nothing`.execute(
      trx,
    );
}

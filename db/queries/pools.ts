/** Pools: limits that DAGs share. Who changes one lets those who wait for it try again (engine.wakeGates). */
import { sql } from 'kysely';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Db } from '#db/client.ts';
import { recordAudit } from './audit.ts';

export interface PoolRow {
  name: string;
  slots: number;
  include_deferred: boolean;
  description: string | null;
  created_at: Date;
  updated_at: Date;
  /** Slots taken, by the state of who takes them. */
  queued: number;
  running: number;
  deferred: number;
  /** Task instances that wait for slots. */
  waiting: number;
}

/** By name, with what is going on in them. Null: all. */
export async function listPools(db: Db, names: readonly string[] | null = null): Promise<PoolRow[]> {
  const { rows } = await sql<PoolRow>`
    select p.name, p.slots, p.include_deferred, p.description, p.created_at, p.updated_at,
      coalesce(h.queued, 0) as queued, coalesce(h.running, 0) as running, coalesce(h.deferred, 0) as deferred, coalesce(w.waiting, 0) as waiting
    from pool p
    left join lateral (
      select sum(h.slots) filter (where t.state = 'queued')::int as queued, sum(h.slots) filter (where t.state = 'running')::int as running,
        sum(h.slots) filter (where t.state = 'deferred')::int as deferred
      from held_slot h, lateral (select state from task_instance t
        where t.run_id = h.run_id and t.task_index = h.task_index and t.map_index = h.map_index) t
      where h.gate = 'pool:' || p.name) h on true
    left join lateral (
      select count(*)::int as waiting from waiting_gate g join waiting_task w on w.run_id = g.run_id and w.gate_set = g.gate_set
      where g.gate in ('pool:' || p.name, 'nopool:' || p.name)) w on true
    where ${names === null ? sql`true` : sql`p.name = any(${names}::text[])`}
    order by p.name`.execute(db);
  return rows;
}

export interface NewPool {
  name: string;
  slots: number;
  includeDeferred: boolean;
  description: string | null;
}
/** Undefined: as it was. */
export type PoolChange = Partial<Omit<NewPool, 'name'>>;

/** False: the name is taken. */
export async function createPool(db: Db, pool: NewPool, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('pool')
      .values({
        name: pool.name,
        slots: pool.slots,
        include_deferred: pool.includeDeferred,
        description: pool.description,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('name')
      .executeTakeFirst();
    if (row) await recordAudit(trx, { actor, action: 'create_pool', object: pool.name, detail: { slots: pool.slots } });
    return row !== undefined;
  });
}

/** False: there is none. */
export async function updatePool(db: Db, name: string, change: PoolChange, actor: string): Promise<boolean> {
  const { slots, includeDeferred, description } = change;
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('pool')
      .set({
        updated_at: sql<Date>`now()`,
        ...(slots !== undefined && { slots }),
        ...(includeDeferred !== undefined && { include_deferred: includeDeferred }),
        ...(description !== undefined && { description }),
      })
      .where('name', '=', name)
      .returning(['slots', 'include_deferred'])
      .executeTakeFirst();
    const detail = row && { slots: row.slots, includeDeferred: row.include_deferred };
    if (detail) await recordAudit(trx, { actor, action: 'update_pool', object: name, detail });
    return row !== undefined;
  });
}

/** False: there is none. Tasks that name it wait until there is one again. */
export async function deletePool(db: Db, name: string, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx.deleteFrom('pool').where('name', '=', name).returning('name').executeTakeFirst();
    if (row) await recordAudit(trx, { actor, action: 'delete_pool', object: name });
    return row !== undefined;
  });
}

const MOST_WARNINGS = 20;

/** What will make tasks of the DAG wait, as things are. */
export async function poolWarnings(db: Db, { tasks }: Pick<DagSpec, 'tasks'>): Promise<string[]> {
  const named = tasks.flatMap((task) => (task.pool ? [{ ...task, pool: task.pool }] : []));
  if (named.length === 0) return [];
  const names = [...new Set(named.map((task) => task.pool))];
  const rows = await db.selectFrom('pool').select(['name', 'slots']).where('name', 'in', names).execute();
  const slotsOf = new Map(rows.map((row) => [row.name, row.slots]));
  const missing = names
    .filter((name) => !slotsOf.has(name))
    .map(
      (name) => `There is no pool "${name}" yet: its tasks wait until "millrace pool set ${name} <slots>" makes it.`,
    );
  const tooWide = named.flatMap(({ taskId, pool, poolSlots }) => {
    const slots = slotsOf.get(pool);
    if (slots === undefined || poolSlots <= slots) return [];
    return [
      `Task "${taskId}" takes ${poolSlots} slots of pool "${pool}", which has ${slots}: it waits until there are more.`,
    ];
  });
  return [...missing, ...tooWide].slice(0, MOST_WARNINGS);
}

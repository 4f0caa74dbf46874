/** Queues. One is there as soon as a task names it, a worker serves it, or somebody makes it. */
import { sql, type RawBuilder } from 'kysely';
import type { Db } from '#db/client.ts';
import { recordAudit } from './audit.ts';
import type { KeysetPage } from './keyset.ts';

/** A queue was paused, resumed, changed or deleted: its name. */
export const QUEUE_CHANGED = 'millrace_queue';

/** But for its name all is null while nobody has said anything of it. */
export interface QueueRow {
  name: string;
  description: string | null;
  paused_at: Date | null;
  paused_by: string | null;
  created_at: Date | null;
  updated_at: Date | null;
  updated_by: string | null;
}

/** Names that workers serve and ready tasks name, whatever the table says. Those of the service itself begin with @. */
const IN_USE = sql`
  select q.name from worker w, unnest(w.queues) q(name) where w.state <> 'offline' and q.name not like '@%'
  union select q.name from line q where q.name is not null and q.name not like '@%'`;
/** `line`: the queues of ready tasks, one look-up each. */
const LINE = sql`line(name) as (
  select min(queue) from ready_task
  union all select (select min(y.queue) from ready_task y where y.queue > l.name) from line l where l.name is not null)`;
const KNOWN = sql`with recursive ${LINE}, known as (select name from queue union ${IN_USE})`;
const COLUMNS = sql`k.name, q.description, q.paused_at, q.paused_by, q.created_at, q.updated_at, q.updated_by`;

/** By name. */
export async function listQueues(db: Db, page: KeysetPage<string>): Promise<QueueRow[]> {
  const bounds: RawBuilder<unknown>[] = [sql`true`];
  if (page.after !== undefined) bounds.push(sql`k.name > ${page.after}`);
  if (page.before !== undefined) bounds.push(sql`k.name < ${page.before}`);
  const { rows } = await sql<QueueRow>`
    ${KNOWN} select ${COLUMNS} from known k left join queue q using (name) where ${sql.join(bounds, sql` and `)}
    order by k.name ${page.inverted ? sql`desc` : sql`asc`} limit ${page.limit}`.execute(db);
  return rows;
}

/** Those of them that are there, in no order. */
export async function findQueues(db: Db, names: readonly string[]): Promise<QueueRow[]> {
  if (names.length === 0) return [];
  const { rows } = await sql<QueueRow>`
    ${KNOWN} select ${COLUMNS} from known k left join queue q using (name) where k.name = any(${names}::text[])`.execute(
    db,
  );
  return rows;
}

/** A deploy makes the queues of its tasks known. Sorted, so that two that do it at once wait for each other in one order. */
export async function nameQueues(db: Db, names: Iterable<string>): Promise<void> {
  const named = [...new Set(names)].filter((name) => !name.startsWith('@')).sort();
  if (named.length === 0) return;
  await sql`
    insert into queue (name) select n.name from unnest(${named}::text[]) with ordinality n(name, at)
    where not exists (select from queue q where q.name = n.name) order by n.at on conflict do nothing`.execute(db);
}

/** What is not given stays as it is. */
export async function setQueue(
  db: Db,
  { name, description }: { name: string; description?: string | null },
  actor: string,
): Promise<void> {
  const given = description !== undefined && { description };
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('queue')
      .values({ name, updated_by: actor, ...given })
      .onConflict((conflict) =>
        conflict.column('name').doUpdateSet({ updated_at: sql`now()`, updated_by: actor, ...given }),
      )
      .execute();
    await recordAudit(trx, { actor, action: 'set_queue', object: name, ...(given && { detail: given }) });
    await tell(trx, name);
  });
}

/** Nothing that is ready is handed out until it is resumed. One that is paused already keeps who did it and when. */
export async function pauseQueue(db: Db, name: string, actor: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const now = sql<Date>`clock_timestamp()`;
    const row = await trx
      .insertInto('queue')
      .values({ name, paused_at: now, paused_by: actor, updated_by: actor })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ paused_at: now, paused_by: actor, updated_at: now, updated_by: actor })
          .where('queue.paused_at', 'is', null),
      )
      .returning('name')
      .executeTakeFirst();
    if (!row) return;
    await recordAudit(trx, { actor, action: 'pause_queue', object: name });
    await tell(trx, name);
  });
}

/** Its workers are woken. */
export async function resumeQueue(db: Db, name: string, actor: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('queue')
      .set({ paused_at: null, paused_by: null, updated_at: sql`now()`, updated_by: actor })
      .where('name', '=', name)
      .where('paused_at', 'is not', null)
      .returning('name')
      .executeTakeFirst();
    if (!row) return;
    await recordAudit(trx, { actor, action: 'resume_queue', object: name });
    await tell(trx, name);
    await sql`select pg_notify('millrace_ready', ${name})`.execute(trx);
  });
}

export type QueueUse = 'tasks' | 'ready' | 'workers';

/** Not while something needs it: what. Null: there was none that anybody had made or named. */
export async function deleteQueue(db: Db, name: string, actor: string): Promise<'deleted' | QueueUse | null> {
  return db.transaction().execute(async (trx) => {
    const use = await findUse(trx, name);
    if (use) return use;
    const row = await trx.deleteFrom('queue').where('name', '=', name).returning('name').executeTakeFirst();
    if (!row) return null;
    await recordAudit(trx, { actor, action: 'delete_queue', object: name });
    await tell(trx, name);
    return 'deleted';
  });
}

async function findUse(db: Db, name: string): Promise<QueueUse | null> {
  const { rows } = await sql<{ use: QueueUse | null }>`
    select case
      when exists (select from worker where state <> 'offline' and ${name} = any(queues)) then 'workers'
      when exists (select from ready_task where queue = ${name}) then 'ready'
      when exists (select from dag d join dag_version_task v on v.version_id = d.version_id where d.active and v.queue = ${name}) then 'tasks'
      end as use`.execute(db);
  return rows[0]?.use ?? null;
}

const tell = (db: Db, name: string) => sql`select pg_notify(${QUEUE_CHANGED}, ${name})`.execute(db);

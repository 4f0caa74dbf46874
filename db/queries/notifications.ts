/** Notifications: written once per event and target, claimed to be sent, kept for people to see. */
import { sql, type Selectable, type Transaction } from 'kysely';
import type { NotifyTarget } from '#sdk/notify.ts';
import type { Db } from '#db/client.ts';
import type { DB, Notification } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';

export const NOTIFICATION_STATES = ['pending', 'sent', 'dead'] as const;
export type NotificationState = (typeof NOTIFICATION_STATES)[number];
export type NotificationRow = Omit<Selectable<Notification>, 'destination'> & { destination: NotifyTarget };

export interface NewNotification {
  event: string;
  dagId: number;
  versionId: number;
  runId: number;
  runSeq: number;
  rule: string;
  target: number;
  taskIndex: number;
  mapIndex: number;
  tryNumber: number;
  destination: NotifyTarget;
  subject: string | null;
  body: string | null;
}

/** A rule about tasks tells so much of one run: ten thousand failures of a mapped task are one piece of news. */
const MOST_PER_RULE = 50;

/** What is there already stays as it is. Senders are woken. */
export async function insertNotifications(trx: Transaction<DB>, list: readonly NewNotification[]): Promise<void> {
  if (list.length === 0) return;
  const rows = list.map((one) => ({
    event: one.event,
    dag_id: one.dagId,
    version_id: one.versionId,
    run_id: one.runId,
    run_seq: one.runSeq,
    rule: one.rule,
    target: one.target,
    task_index: one.taskIndex,
    map_index: one.mapIndex,
    try_number: one.tryNumber,
    connection: 'connection' in one.destination ? one.destination.connection : null,
    destination: one.destination,
    subject: one.subject,
    body: one.body,
  }));
  await sql`
    with f as (
      select f.*, row_number() over (partition by run_id, rule, target) as n
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) f(event text, dag_id bigint, version_id bigint, run_id bigint, run_seq int, rule text,
        target int, task_index int, map_index int, try_number smallint, connection text, destination jsonb, subject text, body text)),
    told as (
      select run_id, rule, target, count(*) as n from notification where run_id in (select run_id from f) group by run_id, rule, target),
    i as (
      insert into notification (event, dag_id, version_id, run_id, run_seq, rule, target, task_index, map_index, try_number, connection, destination,
        subject, body)
      select f.event, f.dag_id, f.version_id, f.run_id, f.run_seq, f.rule, f.target, f.task_index, f.map_index, f.try_number, f.connection,
        f.destination, f.subject, f.body
      from f left join told using (run_id, rule, target)
      where f.task_index < 0 or f.n + coalesce(told.n, 0) <= ${MOST_PER_RULE}
      on conflict do nothing returning 1)
    select pg_notify('millrace_notification', '') from (select from i limit 1) x`.execute(trx);
}

/** A message that only says that messages arrive. */
export async function insertTestNotification(db: Db, destination: NotifyTarget): Promise<NotificationRow> {
  const { rows } = await sql<NotificationRow>`
    insert into notification (event, rule, connection, destination)
    values ('test', 'test', ${'connection' in destination ? destination.connection : null}, ${JSON.stringify(destination)}::jsonb)
    returning *`.execute(db);
  await sql`select pg_notify('millrace_notification', '')`.execute(db);
  if (!rows[0]) throw new Error('The test notification was not stored.');
  return rows[0];
}

/**
 * Takes what is due, unless its connection is among the busy ones. Until `seconds` have passed nobody else takes it: a sender that dies
 * leaves it to the next.
 */
export async function claimNotifications(
  db: Db,
  claim: { limit: number; seconds: number; busy: readonly string[] },
): Promise<NotificationRow[]> {
  const { rows } = await sql<NotificationRow>`
    update notification n set attempts = n.attempts + 1, due_at = clock_timestamp() + ${claim.seconds} * interval '1 second'
    where n.id in (
      select id from notification where state = 'pending' and due_at <= clock_timestamp()
        and (connection is null or connection <> all (${claim.busy}::text[]))
      order by due_at, id limit ${claim.limit} for update skip locked)
    returning n.*`.execute(db);
  return rows;
}

/** Milliseconds until one is due; null: none waits. */
export async function millisecondsToNotification(db: Db, busy: readonly string[]): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::float8 as ms from notification
    where state = 'pending' and (connection is null or connection <> all (${busy}::text[]))`.execute(db);
  return rows[0]?.ms ?? null;
}

export type Delivered =
  { state: 'sent' } | { state: 'dead'; error: string } | { state: 'pending'; error: string; delay: number };

/** Only what this very attempt has claimed: another may have taken it over meanwhile. */
export async function recordDelivery(db: Db, row: { id: number; attempts: number }, result: Delivered): Promise<void> {
  const delay = result.state === 'pending' ? result.delay : 0;
  await sql`
    update notification set state = ${result.state}, last_error = ${'error' in result ? result.error : null},
      due_at = clock_timestamp() + ${delay} * interval '1 second', ended_at = case when ${result.state} <> 'pending' then clock_timestamp() end
    where id = ${row.id} and attempts = ${row.attempts} and state = 'pending'`.execute(db);
}

/** Sends a dead one again, from the start. Undefined: it is not dead. */
export async function retryNotification(trx: Db, id: number): Promise<NotificationRow | undefined> {
  const { rows } = await sql<NotificationRow>`
    with n as (
      update notification set state = 'pending', attempts = 0, due_at = clock_timestamp(), ended_at = null
      where id = ${id} and state = 'dead' returning *)
    select n.*, pg_notify('millrace_notification', '') from n`.execute(trx);
  return rows[0];
}

/** Old ones that have ended go, some at a time; says how many. */
export async function deleteOldNotifications(db: Db, days: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from notification where id in (
      select id from notification where state <> 'pending' and ended_at < now() - ${days} * interval '1 day' order by ended_at limit 10000)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0);
}

const all = (db: Db) => db.selectFrom('notification').selectAll();

export async function findNotifications(db: Db, ids: readonly number[]): Promise<NotificationRow[]> {
  if (ids.length === 0) return [];
  return (await all(db).where('id', 'in', ids).execute()) as unknown as NotificationRow[];
}

/** Newest first. */
export async function listNotifications(
  db: Db,
  filter: { state?: NotificationState | null; dagId?: number | null; runId?: number | null },
  page: KeysetPage<number>,
): Promise<NotificationRow[]> {
  let query = all(db);
  if (filter.state) query = query.where('state', '=', filter.state);
  if (filter.dagId != null) query = query.where('dag_id', '=', filter.dagId);
  if (filter.runId != null) query = query.where('run_id', '=', filter.runId);
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  if (page.before !== undefined) query = query.where('id', '>', page.before);
  const rows = await query
    .orderBy('id', page.inverted ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
  return rows as unknown as NotificationRow[];
}

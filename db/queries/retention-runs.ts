/** Each time that something was deleted because it had been kept long enough. */
import type pg from 'pg';
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { recordAudit } from './audit.ts';

export interface RetentionRunRow {
  id: number;
  requested_by: string | null;
  state: 'requested' | 'running' | 'completed' | 'failed';
  requested_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  deleted: { [what: string]: number };
  error: string | null;
}

const COLUMNS = sql`id, requested_by, state, requested_at, started_at, ended_at, deleted, error`;

/** Null: one is asked for or under way already. */
export async function requestRetention(db: Db, actor: string): Promise<RetentionRunRow | null> {
  const { rows } = await sql<RetentionRunRow>`
    insert into retention_run (requested_by) select ${actor}::text
    where not exists (select from retention_run where ended_at is null) returning ${COLUMNS}`.execute(db);
  if (!rows[0]) return null;
  await recordAudit(db, { actor, action: 'retention.request', object: `retention ${rows[0].id}` });
  await sql`select pg_notify('millrace_retention', '')`.execute(db);
  return rows[0];
}

/** Takes what was asked for, or begins one because its time has come. Whoever calls holds the lock: what was running has died. */
export async function beginRetention(db: Db): Promise<RetentionRunRow> {
  await sql`
    update retention_run set state = 'failed', ended_at = now(), error = 'The scheduler that did it has died; what it had deleted is deleted.'
    where state = 'running'`.execute(db);
  const { rows } = await sql<RetentionRunRow>`
    update retention_run set state = 'running', started_at = now()
    where id = (select min(id) from retention_run where state = 'requested') returning ${COLUMNS}`.execute(db);
  if (rows[0]) return rows[0];
  const made = await sql<RetentionRunRow>`
    insert into retention_run (state, started_at) values ('running', now()) returning ${COLUMNS}`.execute(db);
  if (!made.rows[0]) throw new Error('A row that was inserted did not come back.');
  return made.rows[0];
}

export async function recordDeleted(db: Db, id: number, deleted: { [what: string]: number }): Promise<void> {
  await sql`update retention_run set deleted = ${JSON.stringify(deleted)}::jsonb where id = ${id}`.execute(db);
}

/** One that nobody asked for and that found nothing leaves no trace. */
export async function endRetention(
  db: Db,
  { id, requested_by }: RetentionRunRow,
  { deleted, error }: { deleted: { [what: string]: number }; error: string | null },
): Promise<void> {
  const isEmpty = Object.keys(deleted).length === 0;
  if (requested_by === null && isEmpty && error === null) {
    await sql`delete from retention_run where id = ${id}`.execute(db);
    return;
  }
  await sql`
    update retention_run set state = ${error === null ? 'completed' : 'failed'}, ended_at = now(), error = ${error},
      deleted = ${JSON.stringify(deleted)}::jsonb where id = ${id}`.execute(db);
  if (!isEmpty)
    await recordAudit(db, {
      ...{ actor: requested_by ?? 'retention', action: 'retention.delete', object: `retention ${id}` },
      detail: deleted,
    });
}

/** Newest first. */
export async function listRetentionRuns(db: Db, limit: number): Promise<RetentionRunRow[]> {
  const { rows } = await sql<RetentionRunRow>`
    select ${COLUMNS} from retention_run order by id desc limit ${limit}`.execute(db);
  return rows;
}

export async function hasRetentionRequest(db: Db): Promise<boolean> {
  const { rows } = await sql`select from retention_run where state = 'requested' limit 1`.execute(db);
  return rows.length > 0;
}

/** One at a time; any constant does. */
const LOCK = 7_264_010;

/** Does the work unless somebody else is at it. The lock is that of a connection: it goes with whoever dies. False: somebody else is. */
export async function withRetentionLock(pool: pg.Pool, work: () => Promise<void>): Promise<boolean> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [LOCK]);
    if (!rows[0]?.got) return false;
    try {
      await work();
    } finally {
      await client.query('select pg_advisory_unlock($1)', [LOCK]);
    }
    return true;
  } finally {
    client.release();
  }
}

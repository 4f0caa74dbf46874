/** Log chunks while and after a task runs, by dispatch and byte offset. */
import type pg from 'pg';
import { sql, type RawBuilder } from 'kysely';
import type { LogChunk } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import { parseDispatchId, type DispatchKey } from '#db/engine/dispatch-id.ts';
import { ARCHIVED, archivedLog, type ArchivedLog, type ArchivedRow } from './archived-log.ts';

/**
 * Chunks of dispatches that the database knows, each stored once; a chunk that was sent again is ignored. Readers are woken once per
 * dispatch. A log that has grown large enough for the log store is due to be archived. $1 run $2 task $3 map $4 dispatch $5 offset $6 body
 */
const APPEND_LOG = {
  name: 'append_log',
  text: `
with c as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::bigint[], $6::text[])
    c(run_id, task_index, map_index, dispatch_id, byte_offset, body)),
known as materialized (
  select distinct c.run_id, c.dispatch_id from c
  where exists (select from task_instance t where t.run_id = c.run_id and t.task_index = c.task_index and t.map_index = c.map_index
      and t.dispatch_id = c.dispatch_id)
    or exists (select from task_try y where y.run_id = c.run_id and y.task_index = c.task_index and y.map_index = c.map_index
      and y.dispatch_id = c.dispatch_id)),
i as (
  insert into log_chunk (run_id, dispatch_id, byte_offset, body)
  select c.run_id, c.dispatch_id, c.byte_offset, c.body from c join known using (run_id, dispatch_id)
  on conflict do nothing returning run_id, dispatch_id, byte_offset, octet_length(body) as bytes),
due as (
  insert into log_due (run_id, dispatch_id, task_index, map_index)
  select distinct i.run_id, i.dispatch_id, c.task_index, c.map_index from i
    join log_store s on s.current and i.byte_offset + i.bytes > s.archive_from
    join c on c.run_id = i.run_id and c.dispatch_id = i.dispatch_id
  on conflict do nothing),
notify as materialized (select pg_notify('millrace_log', d::text) from (select distinct dispatch_id as d from i) i)
select (select count(*) from c join known using (run_id, dispatch_id))::int as accepted, (select count(*) from notify) as woken`,
};

/** How many of the chunks belong to a known dispatch: those are stored, now or earlier. */
export async function appendLogChunks(pool: pg.Pool, chunks: readonly LogChunk[]): Promise<number> {
  const known = chunks.flatMap((chunk) => {
    const key = parseDispatchId(chunk.dispatchId);
    return key ? [{ key, chunk }] : [];
  });
  if (known.length === 0) return 0;
  const { rows } = await pool.query<{ accepted: number }>({
    ...APPEND_LOG,
    values: [
      known.map(({ key }) => key.runId),
      known.map(({ key }) => key.taskIndex),
      known.map(({ key }) => key.mapIndex),
      known.map(({ key }) => key.uuid),
      known.map(({ chunk }) => chunk.offset),
      // Postgres stores no NUL; one byte for one byte keeps the offsets true
      known.map(({ chunk }) => chunk.body.replaceAll('\0', ' ')),
    ],
  });
  return rows[0]?.accepted ?? 0;
}

export interface StoredChunk {
  byte_offset: number;
  body: string;
}

type LogKey = Pick<DispatchKey, 'runId' | 'uuid'>;

export interface StoredLog {
  /** In order; at most as many as were asked for. */
  chunks: StoredChunk[];
  /** What of it has moved to a log store. */
  archive: ArchivedLog | null;
}

/** What is there of a log from the byte before `offset` on: as of one moment, so that nothing is missed that is being archived. */
export const readStoredLog = (db: Db, log: LogKey, { offset, limit }: { offset: number; limit: number }) =>
  withArchive(
    db,
    log,
    sql<StoredChunk>`
      select byte_offset, body from log_chunk
      where ${isOf(log)} and byte_offset >= coalesce(
        (select max(byte_offset) from log_chunk where ${isOf(log)} and byte_offset < ${offset}), 0)
      order by byte_offset limit ${limit}`,
  );

/** The same, of the last chunks that begin before `offset`. */
export const readStoredLogBefore = (db: Db, log: LogKey, { offset, limit }: { offset: number; limit: number }) =>
  withArchive(
    db,
    log,
    sql<StoredChunk>`
      select byte_offset, body from log_chunk where ${isOf(log)} and byte_offset < ${offset}
      order by byte_offset desc limit ${limit}`,
  );

const isOf = ({ runId, uuid }: LogKey) => sql`run_id = ${runId} and dispatch_id = ${uuid}::uuid`;

async function withArchive(db: Db, log: LogKey, chunks: RawBuilder<StoredChunk>): Promise<StoredLog> {
  const { rows } = await sql<StoredRow>`
    select c.byte_offset, c.body, null::json as archive from (${chunks}) c
    union all
    select null, null, ${ARCHIVED} from log_archive a where ${isOf(log)}`.execute(db);
  return splitStored(rows);
}

interface StoredRow {
  byte_offset: number | null;
  body: string | null;
  archive: ArchivedRow | null;
}

function splitStored(rows: readonly StoredRow[]): StoredLog {
  const chunks = rows.flatMap(({ byte_offset, body }) =>
    byte_offset === null || body === null ? [] : [{ byte_offset, body }],
  );
  const archive = rows.find((row) => row.archive !== null)?.archive;
  return {
    chunks: chunks.sort((a, b) => a.byte_offset - b.byte_offset),
    archive: archive ? archivedLog(archive) : null,
  };
}

export interface LogSource {
  tryNumber: number;
  /** Null: the try was never launched. */
  dispatchId: string | null;
  /** Null while the try runs. */
  end: { logBytes: number; secondsAgo: number } | null;
}

/** Where the log of a try lies; the newest try when none is named. Undefined: there is no such try (yet). */
export async function findLogSource(
  db: Db,
  task: { runId: number; taskIndex: number; mapIndex: number },
  tryNumber: number | null,
): Promise<LogSource | undefined> {
  const { rows } = await sql<LogSource>`
    select s.try_number as "tryNumber", s.dispatch_id as "dispatchId", s."end" from (
      select y.try_number, y.dispatch_id, jsonb_build_object('logBytes', y.log_bytes,
          'secondsAgo', extract(epoch from clock_timestamp() - y.ended_at)) as "end"
        from task_try y where y.run_id = ${task.runId} and y.task_index = ${task.taskIndex} and y.map_index = ${task.mapIndex}
      union all
      select t.try_number, t.dispatch_id, null from task_instance t
        where t.run_id = ${task.runId} and t.task_index = ${task.taskIndex} and t.map_index = ${task.mapIndex}
          and t.state = 'running' and not exists (select from task_try y where y.run_id = t.run_id and y.task_index = t.task_index
            and y.map_index = t.map_index and y.try_number = t.try_number)) s
    where ${tryNumber}::int is null or s.try_number = ${tryNumber}::int
    order by s.try_number desc limit 1`.execute(db);
  return rows[0];
}

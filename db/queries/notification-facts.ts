/** What a notification tells: read when it is sent, so that writing it costs nothing. */
import { sql } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { RunState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { NotificationRow } from './notifications.ts';

export interface RunFacts {
  dag_name: string;
  run_id: number;
  run_key: string;
  state: RunState;
  logical_date: Date | null;
  started_at: Date | null;
  ended_at: Date | null;
  triggered_by: string | null;
}
export interface TryFacts {
  task_id: string;
  map_index: number;
  try_number: number;
  max_tries: number;
  outcome: string | null;
  cause: string | null;
  message: string | null;
  exit_code: number | null;
  evidence: { [key: string]: Json } | null;
  dispatch_id: string | null;
  started_at: Date | null;
  ended_at: Date | null;
}
export interface NotificationFacts {
  run: RunFacts;
  /** The task that it is about. */
  task: TryFacts | null;
  /** Of a run that failed: the newest of its failed tasks. */
  failed: TryFacts[];
  /** The end of the task's log, or of the one failed task's: pieces in order. */
  log: string;
  /** When the clock ran out that this is about. */
  dueAt: Date | null;
}

const MOST_FAILED = 10;
const LOG_PIECES = 4;

/** Undefined: the run is gone. */
export async function readNotificationFacts(db: Db, row: NotificationRow): Promise<NotificationFacts | undefined> {
  const run = row.run_id === null ? undefined : await readRun(db, row.run_id);
  if (!run) return undefined;
  const task = row.task_index < 0 ? null : ((await readTries(db, run.run_id, row)) ?? [])[0];
  const failed = row.task_index < 0 && run.state === 'failed' ? await readTries(db, run.run_id, null) : [];
  const dispatch = (task ?? failed[0])?.dispatch_id ?? null;
  return {
    run,
    task: task ?? null,
    failed,
    log: dispatch === null ? '' : await readLogEnd(db, run.run_id, dispatch),
    dueAt: row.event === 'slow' || row.event === 'deadline' ? await readDueAt(db, run.run_id, row) : null,
  };
}

async function readRun(db: Db, runId: number): Promise<RunFacts | undefined> {
  const { rows } = await sql<RunFacts>`
    select d.name as dag_name, r.id as run_id, r.run_key, r.state, r.logical_date, r.started_at, r.ended_at, r.triggered_by
    from dag_run r join dag d on d.id = r.dag_id where r.id = ${runId}`.execute(db);
  return rows[0];
}

/** The try of a notification, or (null) the last tries of what has failed. */
async function readTries(db: Db, runId: number, row: NotificationRow | null): Promise<TryFacts[]> {
  const which = row
    ? sql`t.task_index = ${row.task_index} and t.map_index = ${row.map_index}`
    : sql`t.state = 'failed'`;
  const { rows } = await sql<TryFacts>`
    select v.task_id, t.map_index, coalesce(y.try_number, t.try_number) as try_number, t.max_tries, y.outcome, y.cause, y.message, y.exit_code,
      y.evidence, coalesce(y.dispatch_id, t.dispatch_id) as dispatch_id, coalesce(y.started_at, t.started_at) as started_at, y.ended_at
    from task_instance t join dag_run r on r.id = t.run_id
    join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index
    left join lateral (select * from task_try y where y.run_id = t.run_id and y.task_index = t.task_index and y.map_index = t.map_index
      and y.try_number = ${row?.try_number ?? sql`t.try_number`}) y on true
    where t.run_id = ${runId} and ${which}
    order by y.ended_at desc nulls last, t.task_index, t.map_index limit ${MOST_FAILED}`.execute(db);
  return rows;
}

async function readLogEnd(db: Db, runId: number, dispatchId: string): Promise<string> {
  const { rows } = await sql<{ body: string }>`
    select body from log_chunk where run_id = ${runId} and dispatch_id = ${dispatchId}::uuid
    order by byte_offset desc limit ${LOG_PIECES}`.execute(db);
  return rows
    .reverse()
    .map((row) => row.body)
    .join('');
}

async function readDueAt(db: Db, runId: number, row: NotificationRow): Promise<Date | null> {
  const found = await db
    .selectFrom('deadline')
    .select('due_at')
    .where('run_id', '=', runId)
    // A rule with `deadline` is written as "notify[0] deadline[1]"
    .where('rule', '=', row.rule.split(' ').at(-1) ?? '')
    .where('task_index', '=', row.task_index)
    .where('map_index', '=', row.map_index)
    .where('try_number', '=', row.try_number)
    .executeTakeFirst();
  return found?.due_at ?? null;
}

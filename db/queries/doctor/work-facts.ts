/** Work that nobody does, and deadlines that nobody keeps. */
import type pg from 'pg';
import { LEASE_END } from '../task-transitions/keep-alive.ts';

export interface WaitingQueue {
  queue: string;
  waiting: number;
}

/** Counted up to a bound: more says no more. */
export async function readWaitingQueues(pool: pg.Pool): Promise<WaitingQueue[]> {
  const { rows } = await pool.query<WaitingQueue>(
    `select r.queue, count(*)::int as waiting from (select queue from ready_task limit 20000) r
     where not exists (select from queue q where q.name = r.queue and q.paused_at is not null) group by 1 order by 1`,
  );
  return rows;
}

export interface Overdue {
  state: string;
  count: number;
  /** Of the one that is late longest. */
  runId: number;
  taskIndex: number;
  mapIndex: number;
  seconds: number;
}

/** Task instances of live runs whose deadline nobody has kept for so long, by state. The lease of a running one counts as its beats renew it. */
export async function readOverdue(pool: pg.Pool, seconds: number): Promise<Overdue[]> {
  const { rows } = await pool.query<Overdue>(
    `select state::text as state, count(*)::int as count,
       (array_agg(run_id order by due))[1] as "runId", (array_agg(task_index order by due))[1] as "taskIndex",
       (array_agg(map_index order by due))[1] as "mapIndex", extract(epoch from clock_timestamp() - min(due))::int as seconds
     from (select id from dag_run where state = 'running' order by id limit 10000) r,
       lateral (select t.run_id, t.task_index, t.map_index, t.state, case when t.state = 'running' then ${LEASE_END} else t.deadline_at end as due
         from task_instance t where t.run_id = r.id and t.deadline_at < clock_timestamp() - $1 * interval '1 second'
           and t.state in ('scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred')) t
     where due < clock_timestamp() - $1 * interval '1 second' group by 1 order by 1`,
    [seconds],
  );
  return rows;
}

export interface StuckConsumer {
  name: string;
  failures: number;
  error: string;
}

/** Readers of the event log that fail again and again at the same place. */
export async function readStuckConsumers(pool: pg.Pool): Promise<StuckConsumer[]> {
  const { rows } = await pool.query<StuckConsumer>(
    `select name, failures, coalesce(last_error, '') as error from event_consumer where failures > 2 order by name`,
  );
  return rows;
}

/** Those that ended last, as far as they are small enough for a look by the way. */
export async function newestRuns(pool: pg.Pool, most: number, mostEvents: number): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>(
    `select id from (select id, event_seq from dag_run order by id desc limit $1) r where event_seq between 1 and $2`,
    [most, mostEvents],
  );
  return rows.map((row) => row.id);
}

export interface RunSize {
  events: number;
  instances: number;
}

/** Undefined: there is no such run. */
export async function readRunSize(pool: pg.Pool, runId: number): Promise<RunSize | undefined> {
  const { rows } = await pool.query<RunSize>(
    `select r.event_seq as events, (select count(*)::int from task_instance t where t.run_id = r.id) as instances from dag_run r where r.id = $1`,
    [runId],
  );
  return rows[0];
}

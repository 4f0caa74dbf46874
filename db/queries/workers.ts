/** Workers, for reading. */
import { sql, type Selectable } from 'kysely';
import type { Db } from '#db/client.ts';
import type { Worker } from '#db/types.ts';
import type { KeysetPage } from './keyset.ts';
import { RUNS_TASKS, type DrainMode, type WorkerUsage } from './worker.ts';

export const WORKER_STATES = ['online', 'draining', 'offline'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

export type WorkerRow = Omit<Selectable<Worker>, 'state' | 'drain' | 'labels' | 'usage'> & {
  state: WorkerState;
  drain: DrainMode | null;
  labels: { [name: string]: string };
  usage: WorkerUsage | null;
};

export interface WorkerFilter {
  states: readonly WorkerState[];
  /** Serves it. */
  queue?: string | null;
  name?: string | null;
}

export async function findWorkers(db: Db, workerIds: readonly number[]): Promise<WorkerRow[]> {
  if (workerIds.length === 0) return [];
  return typed(await db.selectFrom('worker').selectAll().where('id', 'in', workerIds).execute());
}

/** The newest of that name, gone or not. */
export async function findWorkerByName(db: Db, name: string): Promise<WorkerRow | undefined> {
  const query = db.selectFrom('worker').selectAll().where('name', '=', name).orderBy('id', 'desc').limit(1);
  return typed(await query.execute())[0];
}

/** Newest first. */
export async function listWorkers(db: Db, filter: WorkerFilter, page: KeysetPage<number>): Promise<WorkerRow[]> {
  let query = db.selectFrom('worker').selectAll().where(RUNS_TASKS).where('state', 'in', filter.states);
  if (filter.queue != null) query = query.where(sql<boolean>`${filter.queue} = any(queues)`);
  if (filter.name != null) query = query.where('name', '=', filter.name);
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  if (page.before !== undefined) query = query.where('id', '>', page.before);
  const ordered = query.orderBy('id', page.inverted ? 'asc' : 'desc').limit(page.limit);
  return typed(await ordered.execute());
}

const typed = (rows: Selectable<Worker>[]): WorkerRow[] => rows as WorkerRow[];

/** How many task instances each of them runs. Looks only at the task instances of runs that are going on. */
export async function countRunning(db: Db, workerIds: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await sql<{ worker_id: number; running: number }>`
    select t.worker_id, count(*)::int as running from dag_run r
    join task_instance t on t.run_id = r.id and t.state = 'running' and t.worker_id = any (${workerIds}::int[])
    where r.state = 'running' group by t.worker_id`.execute(db);
  return new Map(rows.map((row) => [row.worker_id, row.running]));
}

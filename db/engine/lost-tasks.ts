/** Tries that nobody runs any more: their runner fell silent, or came back without them. */
import type pg from 'pg';
import {
  EXPIRED_LEASES,
  FORGET_LEASES,
  TASKS_OF_WORKERS,
  UNDELIVERED_TASKS,
} from '#db/queries/task-transitions/keep-alive.ts';
import type { ClosingLine } from '#db/queries/closing-lines.ts';
import type { TaskState } from '#sdk/states.ts';
import { LEASE_SECONDS } from '#db/queries/task-transitions/statement.ts';
import type { DispatchKey } from './dispatch-id.ts';

export interface LostTry {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  uuid: string;
  tryNumber: number;
  maxTries: number;
  workerId: number | null;
  cause: 'lease_expired' | 'worker_lost';
  message: string;
  /** Its code has not begun. */
  isStarting: boolean;
}

interface Row {
  run_id: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
  try_number: number;
  max_tries: number;
  worker_id: number | null;
  state: TaskState;
}

const MOST_RUNS = 100_000;

export async function findExpired(pool: pg.Pool): Promise<LostTry[]> {
  await pool.query(FORGET_LEASES);
  const { rows } = await pool.query<Row>({ ...EXPIRED_LEASES, values: [0, MOST_RUNS] });
  return rows.map((row) => lost(row, 'lease_expired', `Its runner was not heard of for ${LEASE_SECONDS} s.`));
}

export async function findUndelivered(pool: pg.Pool): Promise<DispatchKey[]> {
  const { rows } = await pool.query<Pick<Row, 'run_id' | 'task_index' | 'map_index' | 'dispatch_id'>>({
    ...UNDELIVERED_TASKS,
    values: [MOST_RUNS],
  });
  return rows.map((row) => ({
    runId: row.run_id,
    taskIndex: row.task_index,
    mapIndex: row.map_index,
    uuid: row.dispatch_id,
  }));
}

export async function findTasksOf(pool: pg.Pool, workerIds: number[]): Promise<LostTry[]> {
  if (workerIds.length === 0) return [];
  const { rows } = await pool.query<Row>({ ...TASKS_OF_WORKERS, values: [workerIds] });
  return rows.map((row) => lost(row, 'worker_lost', 'Its worker ended without finishing it.'));
}

/** Its runner is gone and writes no more. */
export const closingLine = ({ runId, uuid, message }: LostTry): ClosingLine => ({
  runId,
  uuid,
  line: `${new Date().toISOString()} s ${message}\n`,
});

const lost = (row: Row, cause: LostTry['cause'], message: string): LostTry => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
  uuid: row.dispatch_id,
  tryNumber: row.try_number,
  maxTries: row.max_tries,
  workerId: row.worker_id,
  cause,
  message,
  isStarting: row.state === 'queued',
});

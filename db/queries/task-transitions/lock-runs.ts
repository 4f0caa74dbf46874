import type { Statement } from './statement.ts';

/**
 * Takes the runs' row locks in id order; everything that changes a task instance's state holds its run's lock. A statement of its own,
 * ahead of the ones that decide: under READ COMMITTED those then see what the previous holder committed.
 */
export const LOCK_RUNS: Statement = {
  name: 'lock_runs',
  text: `select id from dag_run where id = any($1::bigint[]) order by id for update`,
};

/** Named statements: parsed and planned once a connection. */
import type { QueryArrayResult, QueryResult } from 'pg';

/** What both a pool's client and a pipelined client can do. */
export interface Queryable {
  query(config: { name?: string; text: string; values?: unknown[] }): Promise<QueryResult>;
  query(config: { name?: string; text: string; values?: unknown[]; rowMode: 'array' }): Promise<QueryArrayResult>;
}

export interface Statement {
  name: string;
  text: string;
}

/** An array parameter of numbers or uuids as Postgres reads it: several times faster than the driver's general encoder. */
export const arrayLiteral = (values: ArrayLike<number | string | boolean | null>): string => {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += values[i] ?? 'NULL';
  }
  return text + '}';
};

/**
 * Behind a list of parameters: all of it, but the planner, who knows nothing of its length, expects a tenth of its usual guess: one row.
 * Then it looks keys up, whatever it thinks of the tables: a plan made while they were small stays right when they have grown.
 */
export const AS_FEW = 'limit cardinality($1::bigint[])';

/**
 * Columns of the task `i` (a row with run_id and task_index) in its run's version, to be joined laterally. The offset keeps the look-up
 * whole: pulled up into the join, it may be done by the version alone, with all tasks of a large DAG to sift through each time.
 */
export const taskOf = (i: string, columns: string): string => `(
      select ${columns} from dag_version_task v
      where v.version_id = (select version_id from dag_run where id = ${i}.run_id) and v.task_index = ${i}.task_index offset 0)`;

/** Seconds a runner may stay silent. Every beat renews it. */
export const LEASE_SECONDS = 60;
/** Seconds after which a worker that beats, and never did so for a dispatch, has not got it. Far more than an answer or a beat is on its way. */
export const DELIVERY_SECONDS = 15;
/** Seconds after which a queued or held-back task is looked at again, in case its row in ready_task or waiting_task is gone. */
export const REVIEW_SECONDS = 600;

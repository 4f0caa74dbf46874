/** What a stretch of work cost: wall time, CPU of both process trees, memory, write-ahead log, write transactions. */
import type pg from 'pg';
import { cpuOf, machineCpu, residentOf } from './proc.ts';

export interface Cost {
  wallMs: number;
  /** Microseconds. */
  nodeCpu: number;
  databaseCpu: number;
  /** CPU time that neither tree used, as a share of all cores: somebody else's, or the benchmark's own. */
  foreign: number;
  /** Bytes at the end. */
  nodeMemory: number;
  databaseMemory: number;
  walBytes: number;
  /** Transactions that wrote, of the whole server. */
  commits: number;
}

export interface Measured<T> {
  result: T;
  cost: Cost;
}

export interface Trees {
  /** Processes of the side that is measured, and of its database. */
  node: readonly number[];
  database: readonly number[];
  /** To the Postgres server, if the work uses one. */
  admin: pg.Client;
  cores: number;
}

interface Reading {
  at: number;
  node: number;
  database: number;
  machine: number;
  wal: number;
  xid: number;
}

async function read({ node, database, admin }: Trees): Promise<Reading> {
  const { rows } = await admin.query<{ wal: string; xid: string }>(
    `select (pg_current_wal_insert_lsn() - '0/0')::text as wal, pg_snapshot_xmax(pg_current_snapshot())::text as xid`,
  );
  return {
    at: performance.now(),
    node: cpuOf(node),
    database: cpuOf(database),
    machine: machineCpu(),
    wal: Number(rows[0]?.wal),
    xid: Number(rows[0]?.xid),
  };
}

export async function measure<T>(trees: Trees, work: () => Promise<T>): Promise<Measured<T>> {
  const before = await read(trees);
  const result = await work();
  const after = await read(trees);
  const wallMs = after.at - before.at;
  const nodeCpu = after.node - before.node;
  const databaseCpu = after.database - before.database;
  const machine = after.machine - before.machine;
  return {
    result,
    cost: {
      wallMs,
      nodeCpu,
      databaseCpu,
      foreign: Math.max(0, machine - nodeCpu - databaseCpu) / (wallMs * 1000 * trees.cores),
      nodeMemory: residentOf(trees.node),
      databaseMemory: residentOf(trees.database),
      walBytes: after.wal - before.wal,
      commits: after.xid - before.xid,
    },
  };
}

import type { BenchPostgres } from './database.ts';
import type { Machine } from './machine.ts';
import type { Cost } from './measure.ts';
import type { Options } from './options.ts';
import type { BenchRedis } from './redis.ts';

/** What a scenario needs to run. */
export interface Bench {
  postgres: BenchPostgres;
  machine: Machine;
  options: Options;
  /** Without persistence; null: there is none on this machine. */
  redis: BenchRedis | null;
  log(line: string): void;
}

/** Which parts of the product take part. */
export const VARIANTS = {
  a: '(a) engine and worker, a task is a call',
  a2: '(a2) the same in two processes',
  b0: '(b0) GraphQL server alone',
  b: '(b) GraphQL server, worker process, a task is a call',
  b1: '(b1) GraphQL server and worker in one process, a task is a call',
  b4: '(b4) GraphQL server, four worker processes, a task is a call',
  b4r: '(b4r) as (b4), with Redis as the broker',
  c: '(c) engine, worker, supervisor and its children',
  d: '(d) all: GraphQL server, worker process, supervisor and its children',
  d1: '(d1) all, as `npm start` has it: server and worker in one process',
  r: '(r) the roles as they are deployed',
  k: '(k) engine and launcher in one process, a task is a Pod',
} as const;
export type Variant = keyof typeof VARIANTS;

export type Unit =
  | 'tasks/s'
  | 'tasks/min'
  | 'pods/s'
  | 'jobs/s'
  | 'runs/s'
  | 'ms'
  | 'ratio'
  | 'messages/s'
  | 'MiB'
  | 'queries/s'
  | '% of a core';

/** One side's figures. */
export interface Row {
  /** What is measured, e.g. `B2.chain`: goals and peers find it by this. */
  key: string;
  /** The workload in a few words. */
  workload: string;
  side: string;
  /** Null: a peer or a limit. */
  variant: Variant | null;
  unit: Unit;
  /** One per round, or where `samples` is true one per sample, of which quantiles are told. */
  values: number[];
  samples: boolean;
  /** Of each round. */
  costs: Cost[];
  /** Tasks of one round: what the costs are divided by. */
  tasks: number;
  /** Rounds whose check failed: they have no number. */
  failures: string[];
  notes: string[];
}

export interface Scenario {
  id: string;
  title: string;
  run(bench: Bench): Promise<Row[]>;
}

type NewRow = Pick<Row, 'key' | 'workload' | 'unit'> & Partial<Row> & ({ variant: Variant } | { side: string });

export const newRow = (row: NewRow): Row => ({
  variant: null,
  side: row.variant ? VARIANTS[row.variant] : '',
  samples: false,
  tasks: 1,
  values: [],
  costs: [],
  failures: [],
  notes: [],
  ...row,
});

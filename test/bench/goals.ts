/** What the figures are held against. */
import type { Row } from './scenario.ts';
import { median, quantile } from './statistics.ts';

export interface Goal {
  id: string;
  text: string;
  /** Rows that it judges: one line of the table each. */
  key: string;
  limit: number;
  direction: 'at least' | 'at most';
  unit: string;
  value(row: Row, all: readonly Row[]): number | null;
}

const middle = (row: Row): number | null => (row.values.length > 0 ? median(row.values) : null);
const at = (q: number) => (row: Row) => (row.values.length > 0 ? quantile(row.values, q) : null);

/** CPU of the side and of its database, microseconds a task. */
export const cpuPerTask = (row: Row): number | null =>
  row.costs.length > 0 ? median(row.costs.map((cost) => (cost.nodeCpu + cost.databaseCpu) / row.tasks)) : null;

/** CPU of the side alone, microseconds a task or message. */
const ownCpu = (row: Row): number | null =>
  row.costs.length > 0 ? median(row.costs.map((cost) => cost.nodeCpu / row.tasks)) : null;

const share = (key: string) => (row: Row, all: readonly Row[]) => {
  const other = all.find((candidate) => candidate.key === key);
  const [mine, theirs] = [middle(row), other ? middle(other) : null];
  return mine !== null && theirs !== null ? mine / theirs : null;
};

const most = (goal: Omit<Goal, 'direction'>): Goal => ({ ...goal, direction: 'at most' });
const least = (goal: Omit<Goal, 'direction'>): Goal => ({ ...goal, direction: 'at least' });

export const GOALS: Goal[] = [
  most({ id: 'B1s', text: 'chain of 40', key: 'B1S', limit: 80, unit: 'ms', value: middle }),
  most({ id: 'B1s', text: 'chain of 40 × `/bin/true`', key: 'B1S.true', limit: 400, unit: 'ms', value: middle }),
  most({ id: 'B1p', text: '40 parallel on 16 slots', key: 'B1P', limit: 25, unit: 'ms', value: middle }),
  least({ id: 'B2', text: '1,000 × chain of 10', key: 'B2.chain10', limit: 15_000, unit: 'tasks/s', value: middle }),
  least({ id: 'B2', text: '… as a share of L2', key: 'B2.chain10', limit: 0.35, unit: '×', value: share('L2') }),
  least({ id: 'B2', text: '… against L1', key: 'B2.chain10', limit: 3.5, unit: '×', value: share('L1') }),
  least({
    id: 'B2',
    text: '… against graphile-worker',
    key: 'B2.chain10',
    limit: 0.8,
    unit: '×',
    value: share('B2.graphile'),
  }),
  least({ id: 'B2', text: '… against BullMQ', key: 'B2.chain10', limit: 0.7, unit: '×', value: share('B2.bullmq') }),
  least({
    id: 'B2',
    text: '1,000 × diamond 1-8-1',
    key: 'B2.diamond10',
    limit: 15_000,
    unit: 'tasks/s',
    value: middle,
  }),
  most({
    id: 'B2c',
    text: 'CPU of node + Postgres per task',
    key: 'B2.chain10',
    limit: 60,
    unit: 'µs',
    value: cpuPerTask,
  }),
  most({ id: 'B3', text: 'one process, p50', key: 'B3.one', limit: 2.5, unit: 'ms', value: at(0.5) }),
  most({ id: 'B3', text: 'one process, p99', key: 'B3.one', limit: 12, unit: 'ms', value: at(0.99) }),
  most({
    id: 'B3',
    text: '… p50 against graphile-worker',
    key: 'B3.one',
    limit: 0.7,
    unit: '×',
    value: share('B3.graphile'),
  }),
  most({ id: 'B3', text: '… p50 against BullMQ', key: 'B3.one', limit: 8, unit: '×', value: share('B3.bullmq') }),
  most({ id: 'B3', text: 'across processes, p50', key: 'B3.across', limit: 4, unit: 'ms', value: at(0.5) }),
  most({ id: 'B3', text: 'across processes, p99', key: 'B3.across', limit: 12, unit: 'ms', value: at(0.99) }),
  least({
    id: 'B4',
    text: 'throughput with history / without, paired',
    key: 'B4.ratio',
    limit: 0.95,
    unit: '×',
    value: middle,
  }),
  most({ id: 'B4', text: 'p99 with history / without', key: 'B4.p99', limit: 1.2, unit: '×', value: middle }),
  most({ id: 'B5', text: 'deploy 10,000 tasks', key: 'B5.deploy', limit: 400, unit: 'ms', value: middle }),
  most({ id: 'B5', text: 'run 10,000 tasks', key: 'B5.run', limit: 1500, unit: 'ms', value: middle }),
  most({ id: 'B5', text: 'longest stall of the event loop', key: 'B5.stall', limit: 30, unit: 'ms', value: middle }),
  most({ id: 'B6', text: 'server CPU a message', key: 'B6.messages', limit: 25, unit: 'µs', value: ownCpu }),
  most({ id: 'B6', text: 'event → message received, p99', key: 'B6.delay', limit: 60, unit: 'ms', value: at(0.99) }),
  most({ id: 'B6', text: 'memory for all subscribers', key: 'B6.memory', limit: 40, unit: 'MiB', value: middle }),
  most({
    id: 'B6',
    text: '… CPU against graphql-ws as its manual has it',
    key: 'B6.messages',
    limit: 0.33,
    unit: '×',
    value: (row, all) => {
      const plain = all.find(({ key }) => key === 'B6.plain');
      const [mine, theirs] = [ownCpu(row), plain ? ownCpu(plain) : null];
      return mine !== null && theirs !== null ? mine / theirs : null;
    },
  }),
  most({ id: 'B6r', text: 'all are back and have caught up', key: 'B6R', limit: 1000, unit: 'ms', value: middle }),
  least({ id: 'B7', text: '1,000 Pods on a stand-in', key: 'B7.pods', limit: 150, unit: 'pods/s', value: middle }),
  most({ id: 'B7', text: 'requests a task', key: 'B7.requests', limit: 4, unit: '', value: middle }),
  most({ id: 'B7', text: 'lists while it ran', key: 'B7.lists', limit: 0, unit: '', value: middle }),
  least({ id: 'B7', text: 'on a cluster, against a bare loop', key: 'B7.share', limit: 0.7, unit: '×', value: middle }),
  most({ id: 'B9', text: 'idle', key: 'B9.queries', limit: 2, unit: 'queries/s', value: middle }),
];

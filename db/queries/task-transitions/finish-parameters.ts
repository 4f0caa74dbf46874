/** The parameters of finishTasks: rows and edges as parallel arrays. A batch sends only the columns that its parts need. */
import type { FinishParts } from './finish-tasks.ts';
import { AS_FEW } from './statement.ts';

const ROW_TYPES = {
  run_id: 'bigint',
  task_index: 'int',
  map_index: 'int',
  /** Null: already settled in this transaction. */
  dispatch_id: 'uuid',
  /** The row's slice of the edge arrays, from 1. */
  lo: 'int',
  hi: 'int',
  /** Who reports. */
  worker_id: 'int',
  exit_code: 'int',
  evidence: 'jsonb',
  log_bytes: 'bigint',
  outcome: 'task_state',
  cause: 'text',
  message: 'text',
  leaf: 'bool',
  /** Seconds to the next try. */
  delay: 'float8',
  /** Its next try is on top of the task's own retries. */
  extra: 'bool',
  /** Only if its lease has expired. */
  expired: 'bool',
  xcoms: 'jsonb',
  artifacts: 'jsonb',
} as const;
const EDGE_TYPES = {
  child: 'int',
  mode: 'int',
  rank: 'int',
  queue: 'text',
  rule: 'int',
  leaf: 'bool',
  /** Which instances of the child: SCOPE in special-edges.ts. */
  scope: 'int',
  /** Whether the end is counted, or the child only looked at. */
  counts: 'bool',
  /** Into a teardown, from a task that is not its setup. */
  other: 'bool',
} as const;

export type RowColumn = keyof typeof ROW_TYPES;
export type EdgeColumn = keyof typeof EDGE_TYPES;

const COMMON: RowColumn[] = ['run_id', 'task_index', 'map_index', 'dispatch_id', 'lo', 'hi', 'worker_id'];
const RECORDED: RowColumn[] = ['exit_code', 'evidence', 'log_bytes'];
const VARIED: RowColumn[] = ['outcome', 'cause', 'message', 'leaf', 'delay', 'expired'];

export const rowColumns = ({ plain, xcoms, artifacts, extra }: FinishParts): RowColumn[] => [
  ...COMMON,
  ...RECORDED,
  ...(plain ? [] : VARIED),
  ...(xcoms ? (['xcoms'] as const) : []),
  ...(artifacts ? (['artifacts'] as const) : []),
  ...(extra ? (['extra'] as const) : []),
];
export const edgeColumns = ({ plain, special, ready, waiting }: FinishParts): EdgeColumn[] => [
  'child',
  'mode',
  ...(ready || waiting ? (['rank'] as const) : []),
  ...(ready ? (['queue'] as const) : []),
  ...(plain ? [] : (['rule', 'leaf'] as const)),
  ...(special ? (['scope', 'counts', 'other'] as const) : []),
];

/** `f` with columns `run_id, …, n`: a row each, numbered from 1. */
export function rowSource(parts: FinishParts): string {
  const columns = rowColumns(parts);
  const arrays = columns.map((column, i) => `$${i + 1}::${ROW_TYPES[column]}[]`);
  return `(select * from unnest(${arrays.join(', ')}) with ordinality f(${columns.join(', ')}, n) ${AS_FEW}) f`;
}

/** `x(child, …)`: the edges of the row `row`. */
export function edgeSource(parts: FinishParts, row: string): string {
  const columns = edgeColumns(parts);
  const first = rowColumns(parts).length + 1;
  const slices = columns.map((column, i) => `($${first + i}::${EDGE_TYPES[column]}[])[${row}.lo:${row}.hi]`);
  return `unnest(${slices.join(', ')}) x(${columns.join(', ')})`;
}

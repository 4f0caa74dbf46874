import { topologicalOrder, type TaskNode } from '../../components/topological-order.ts';
import type { FragmentOf, ResultOf } from '../../graphql/graphql.ts';
import type { RunEvents, TaskRow as TaskFields } from '../../graphql/documents/runs.ts';

export type TaskState = FragmentOf<typeof TaskFields>['state'];
export type Transition = ResultOf<typeof RunEvents>['dagRunEvents']['transitions'][number];

/** A task instance as it is shown. Times are milliseconds; `seq` is the newest event that it contains. */
export interface TaskRow {
  key: string;
  id: string;
  taskId: string;
  taskIndex: number;
  mapIndex: number;
  state: TaskState;
  /** Queued, and a cluster has it. */
  starting: boolean;
  tryNumber: number;
  maxTries: number;
  queuedAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
  cause: string | null;
  message: string | null;
  seq: number;
}

const FINAL: ReadonlySet<TaskState> = new Set([
  'SUCCESS',
  'FAILED',
  'SKIPPED',
  'UPSTREAM_FAILED',
  'CANCELLED',
  'REMOVED',
]);

const HANDED_BACK: ReadonlySet<TaskState> = new Set(['QUEUED', 'UP_FOR_RESCHEDULE']);

/** As people see it: what a cluster has, and has not begun yet, is starting. */
export type ShownTaskState = TaskState | 'STARTING';
export const shownState = (row: Pick<TaskRow, 'state' | 'starting'>): ShownTaskState =>
  row.starting && row.state === 'QUEUED' ? 'STARTING' : row.state;

export const isFinal = (state: ShownTaskState): boolean => FINAL.has(state as TaskState);
export const rowKey = (taskIndex: number, mapIndex: number): string => `${taskIndex}.${mapIndex}`;
const time = (at: string | null): number | null => (at === null ? null : Date.parse(at));

export function rowFromSnapshot(node: FragmentOf<typeof TaskFields>, seq: number): TaskRow {
  return {
    ...node,
    key: rowKey(node.taskIndex, node.mapIndex),
    queuedAt: time(node.queuedAt),
    startedAt: time(node.startedAt),
    endedAt: time(node.endedAt),
    seq,
  };
}

function timesAfter(row: TaskRow, state: TaskState, at: number): Pick<TaskRow, 'queuedAt' | 'startedAt' | 'endedAt'> {
  if (state === 'QUEUED')
    return { queuedAt: row.state === 'QUEUED' ? row.queuedAt : at, startedAt: null, endedAt: null };
  if (state === 'RUNNING') return { queuedAt: row.queuedAt, startedAt: at, endedAt: null };
  if (isFinal(state) || state === 'UP_FOR_RETRY')
    return { queuedAt: row.queuedAt, startedAt: row.startedAt, endedAt: at };
  return { queuedAt: null, startedAt: null, endedAt: null };
}

/** A claim for a cluster gives a queued task its next try; whoever hands it back takes that away again. */
const startingAfter = (row: TaskRow, { state, tryNumber }: Transition): boolean =>
  state === 'QUEUED' &&
  row.state === 'QUEUED' &&
  (tryNumber === row.tryNumber ? row.starting : tryNumber > row.tryNumber);

/**
 * The row after a transition, or the same row when it already shows that or something newer. A page of rows may have been
 * read a moment after its cursor; then the times tell.
 */
export function applyTransition(row: TaskRow, transition: Transition, seq: number): TaskRow {
  const at = Date.parse(transition.at);
  const newest = Math.max(row.queuedAt ?? 0, row.startedAt ?? 0, row.endedAt ?? 0);
  // A try that is handed back counts for nothing
  const isOlderTry = transition.tryNumber < row.tryNumber && !(HANDED_BACK.has(transition.state) && at > newest);
  if (seq <= row.seq || at < newest || isOlderTry) return row;
  const { state, tryNumber, cause } = transition;
  const starting = startingAfter(row, transition);
  const sameEnd = state === row.state && tryNumber === row.tryNumber;
  const message = sameEnd ? row.message : null;
  return { ...row, state, starting, tryNumber, cause, message, ...timesAfter(row, state, at), seq };
}

/** What a person wants to see first: the first failure, else what runs, else the beginning. */
export function rowToOpen(rows: readonly TaskRow[]): TaskRow | undefined {
  return rows.find((row) => row.state === 'FAILED') ?? rows.find((row) => row.state === 'RUNNING') ?? rows[0];
}

export function countStates(rows: readonly TaskRow[]): Map<ShownTaskState, number> {
  const counts = new Map<ShownTaskState, number>();
  for (const row of rows) counts.set(shownState(row), (counts.get(shownState(row)) ?? 0) + 1);
  return counts;
}

/** Where each task stands in topological order. */
export function rankOf(tasks: readonly TaskNode[]): (taskIndex: number) => number {
  const ranks = new Map(topologicalOrder(tasks).map((task, rank) => [task.taskIndex, rank]));
  return (taskIndex) => ranks.get(taskIndex) ?? taskIndex;
}

/** A snapshot's rows in order; where events have overtaken the page that carried a row, the newer one stays. */
export function mergeRows(
  shown: readonly TaskRow[],
  loaded: readonly TaskRow[],
  rank: (taskIndex: number) => number,
): TaskRow[] {
  const known = new Map(shown.map((row) => [row.key, row]));
  return loaded
    .map((row) => {
      const now = known.get(row.key);
      return now && now.seq > row.seq ? { ...now, maxTries: row.maxTries } : row;
    })
    .sort((a, b) => rank(a.taskIndex) - rank(b.taskIndex) || a.mapIndex - b.mapIndex);
}

export const withKeys = (keys: Iterable<string>, added: Iterable<string>): ReadonlySet<string> =>
  new Set([...keys, ...added]);

export function withoutKeys(keys: Iterable<string>, removed: Iterable<string>): ReadonlySet<string> {
  const left = new Set(keys);
  for (const key of removed) left.delete(key);
  return left;
}

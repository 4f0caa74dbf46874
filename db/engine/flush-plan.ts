/** Pure: turns finished tries into the parameter arrays of finishTasks. */
import type { TaskCause, TaskState } from '#sdk/states.ts';
import {
  edgeColumns,
  rowColumns,
  type EdgeColumn,
  type RowColumn,
} from '#db/queries/task-transitions/finish-parameters.ts';
import { CHILD_MODE, type FinishParts } from '#db/queries/task-transitions/finish-tasks.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { FREE_SET } from './gates.ts';
import { isSpecial, specialEdges, type BranchChoice } from './special-edges.ts';
import { ruleOf } from './trigger-rules.ts';

/** One finished try, or (uuid null) an instance already settled whose children are still to be counted. */
export interface FinishRow {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  uuid: string | null;
  outcome: TaskState;
  /** Seconds to the next try; null: no further try. */
  delay: number | null;
  /** Its next try is on top of the task's own retries. */
  isExtra: boolean;
  /** Only if its lease has expired by now. */
  expired: boolean;
  workerId: number | null;
  cause: TaskCause | null;
  exitCode: number | null;
  message: string | null;
  evidence: string | null;
  logBytes: number;
  /** Of a task on a cluster: when its code began. */
  startedAt?: Date | null;
  xcoms: string | null;
  /** What it chose of its downstreams; null: it is no branch. */
  branch: BranchChoice | null;
  /** Results in the artifact store: JSON of `{ key: { hash, bytes, preview } }`. */
  artifacts: string | null;
  dag: CompiledDag;
}

/** An instance that was settled without a runner in this transaction. */
export const settledRow = (
  dag: CompiledDag,
  { runId, taskIndex, mapIndex }: Pick<FinishRow, 'runId' | 'taskIndex' | 'mapIndex'>,
  outcome: TaskState,
): FinishRow => ({
  runId,
  taskIndex,
  mapIndex,
  uuid: null,
  outcome,
  delay: null,
  isExtra: false,
  expired: false,
  workerId: null,
  cause: null,
  exitCode: null,
  message: null,
  evidence: null,
  logBytes: 0,
  xcoms: null,
  branch: null,
  artifacts: null,
  dag,
});

/** A worker's free slots: what a finish may hand over to it. */
export interface Slots {
  queues: ReadonlySet<string>;
  free: number;
}

export interface FinishPlan {
  parts: FinishParts;
  values: unknown[];
  /** Children that may be settled without a runner: look at the result before committing. */
  mayCascade: boolean;
  /** Runs whose ready tasks pass through admission. */
  admit: Set<number>;
  /** Ended tries that may give back what they hold. */
  holders: FinishRow[];
}

/** Hand-over flags are taken from `slots` by worker id; what is left there may be claimed from the ready table. */
export function planFinish(rows: readonly FinishRow[], slots: ReadonlyMap<number, Slots>): FinishPlan {
  const low: number[] = [];
  const high: number[] = [];
  const edges = noEdges();
  const special = rows.some((row) => row.delay === null && isSpecial(row));
  const admit = new Set<number>();
  const holders: FinishRow[] = [];
  let mayCascade = false;
  for (const row of rows) {
    low.push(edges.child.length + 1);
    if (row.delay === null) {
      mayCascade ||= cascades(row);
      const held = pushEdges(edges, row, special, row.workerId === null ? undefined : slots.get(row.workerId));
      if (held) admit.add(row.runId);
    }
    high.push(edges.child.length);
    if (isGated(row.dag, row.taskIndex)) holders.push(row);
    if (!row.dag.direct || isGated(row.dag, row.taskIndex)) admit.add(row.runId);
  }
  const parts = {
    plain:
      !special && rows.every(isPlain) && edges.rule.every(isAllSuccess) && !edges.mode.includes(CHILD_MODE.instant),
    special,
    xcoms: rows.some((row) => row.xcoms !== null),
    artifacts: rows.some((row) => row.artifacts !== null),
    retries: rows.some((row) => row.delay !== null),
    extra: rows.some((row) => row.isExtra),
    ready: edges.mode.includes(CHILD_MODE.queue),
    // One instance of a mapped task, cleared by hand, is held as any other
    waiting: edges.mode.includes(CHILD_MODE.admit) || edges.mode.includes(CHILD_MODE.expand),
  };
  return {
    parts,
    values: [...rowValues(rows, low, high, parts), ...edgeValues(edges, parts)],
    mayCascade,
    admit,
    holders,
  };
}

const isPlain = ({ uuid, outcome, cause, message, expired }: FinishRow): boolean =>
  uuid !== null && outcome === 'success' && cause === 'ok' && message === null && !expired;
const isAllSuccess = (rule: number): boolean => ruleOf(rule) === 'all_success';

/** Only a success whose children all wait for success, or a leaf, is known to settle nothing else. */
function cascades(row: FinishRow): boolean {
  if (isSpecial(row)) return true;
  const hasChildren = row.dag.childless[row.taskIndex] === 0;
  return hasChildren && (row.outcome !== 'success' || row.dag.cascadesOnSuccess[row.taskIndex] === 1);
}

type BooleanColumn = 'leaf' | 'counts' | 'other';
type Edges = { [column in Exclude<EdgeColumn, BooleanColumn | 'queue'>]: number[] } & {
  [column in BooleanColumn]: boolean[];
} & { queue: string[] };
const noEdges = (): Edges => ({
  ...{ child: [], mode: [], rank: [], queue: [], rule: [], leaf: [] },
  ...{ scope: [], counts: [], other: [] },
});

/** True when a child may have to be admitted. */
function pushEdges(edges: Edges, row: FinishRow, special: boolean, slots: Slots | undefined): boolean {
  const { dag, taskIndex } = row;
  if (special) return pushSpecialEdges(edges, row, slots);
  let holds = false;
  const end = dag.offsets[taskIndex + 1] ?? 0;
  for (let at = dag.offsets[taskIndex] ?? 0; at < end; at++) {
    const child = dag.children[at] ?? 0;
    const mode = childMode(row, child, slots);
    pushEdge(edges, dag, child, mode);
    holds ||= mode === CHILD_MODE.admit;
  }
  return holds;
}

function pushEdge(edges: Edges, { rules, tasks, ranks, flow }: CompiledDag, child: number, mode: number): void {
  edges.child.push(child);
  edges.rule.push(rules[child] ?? 0);
  edges.mode.push(mode);
  edges.rank.push(ranks[child] ?? 0);
  edges.queue.push(tasks[child]?.queue ?? '');
  edges.leaf.push(flow.leaf[child] === 1);
}

/** A batch with one special row sends all rows so. */
function pushSpecialEdges(edges: Edges, row: FinishRow, slots: Slots | undefined): boolean {
  let holds = false;
  for (const { child, scope, add, other, force } of specialEdges(row)) {
    const mode = force ?? childMode(row, child, slots);
    pushEdge(edges, row.dag, child, mode);
    edges.scope.push(scope);
    edges.counts.push(add === 1);
    edges.other.push(other);
    holds ||= mode === CHILD_MODE.admit || mode === CHILD_MODE.expand;
  }
  return holds;
}

function childMode({ dag, taskIndex, outcome }: FinishRow, child: number, slots: Slots | undefined): number {
  if (dag.instant[child] === 1) return CHILD_MODE.instant;
  if (dag.flow.expands[child] === 1) return CHILD_MODE.expand;
  if (!dag.direct || isGated(dag, child)) return CHILD_MODE.admit;
  const task = dag.tasks[child];
  if (!slots || slots.free === 0 || outcome !== 'success' || !task) return CHILD_MODE.queue;
  // Only a child of one upstream is sure to become ready now. A lower priority than its parent's might overtake others in the queue.
  const fits = task.upstream.length === 1 && task.triggerRule !== 'all_failed' && isFirst(dag, child, taskIndex);
  if (!fits || !slots.queues.has(task.queue)) return CHILD_MODE.queue;
  slots.free--;
  return CHILD_MODE.handOver;
}

const isGated = (dag: CompiledDag, task: number): boolean => (dag.gateSetOf[task] ?? FREE_SET) !== FREE_SET;
const isFirst = (dag: CompiledDag, child: number, parent: number): boolean =>
  (dag.ranks[child] ?? 0) <= (dag.ranks[parent] ?? 0);

const PICK: { [column in Exclude<RowColumn, 'lo' | 'hi'>]: (row: FinishRow) => number | string | boolean | null } = {
  run_id: (row) => row.runId,
  task_index: (row) => row.taskIndex,
  map_index: (row) => row.mapIndex,
  dispatch_id: (row) => row.uuid,
  worker_id: (row) => row.workerId,
  exit_code: (row) => row.exitCode,
  evidence: (row) => row.evidence,
  log_bytes: (row) => row.logBytes,
  outcome: (row) => row.outcome,
  cause: (row) => row.cause,
  message: (row) => row.message,
  leaf: (row) => row.dag.flow.leaf[row.taskIndex] === 1,
  delay: (row) => row.delay,
  extra: (row) => row.isExtra,
  expired: (row) => row.expired,
  xcoms: (row) => row.xcoms,
  artifacts: (row) => row.artifacts,
};
const NEEDS_QUOTES: ReadonlySet<RowColumn> = new Set(['evidence', 'message', 'xcoms', 'artifacts']);

function rowValues(rows: readonly FinishRow[], low: number[], high: number[], parts: FinishParts): unknown[] {
  return rowColumns(parts).map((column) => {
    if (column === 'lo') return arrayLiteral(low);
    if (column === 'hi') return arrayLiteral(high);
    const values = rows.map(PICK[column]);
    // unnest pads a shorter array with nulls
    if (values.every((value) => value === null)) return '{}';
    return NEEDS_QUOTES.has(column) ? values : arrayLiteral(values);
  });
}

const edgeValues = (edges: Edges, parts: FinishParts): unknown[] =>
  edgeColumns(parts).map((column) => (column === 'queue' ? edges.queue : arrayLiteral(edges[column])));

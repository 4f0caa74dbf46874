/** Pure: turns finished tries into the parameter arrays of finishTasks. */
import type { TaskCause, TaskState } from '#sdk/states.ts';
import { CHILD_MODE, type FinishParts } from '#db/queries/task-transitions/finish-tasks.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import type { CompiledDag } from './compiled-dag.ts';

/** One finished try, or (uuid null) an instance already settled whose children are still to be counted. */
export interface FinishRow {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  uuid: string | null;
  outcome: TaskState;
  /** Seconds to the next try; null: no further try. */
  delay: number | null;
  /** Only if its lease has expired by now. */
  expired: boolean;
  workerId: number | null;
  cause: TaskCause | null;
  exitCode: number | null;
  message: string | null;
  evidence: string | null;
  logBytes: number;
  xcoms: string | null;
  dag: CompiledDag;
}

/** An instance that was settled without a runner in this transaction. */
export const settledRow = (dag: CompiledDag, runId: number, taskIndex: number, outcome: TaskState): FinishRow => ({
  runId,
  taskIndex,
  mapIndex: -1,
  uuid: null,
  outcome,
  delay: null,
  expired: false,
  workerId: null,
  cause: null,
  exitCode: null,
  message: null,
  evidence: null,
  logBytes: 0,
  xcoms: null,
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
}

/** Hand-over flags are taken from `slots` by worker id; what is left there may be claimed from the ready table. */
export function planFinish(rows: readonly FinishRow[], slots: ReadonlyMap<number, Slots>): FinishPlan {
  const low: number[] = [];
  const high: number[] = [];
  const edges = { child: [] as number[], rule: [] as number[], mode: [] as number[], leaf: [] as boolean[] };
  const admit = new Set<number>();
  let mayCascade = false;
  for (const row of rows) {
    low.push(edges.child.length + 1);
    if (row.delay === null) {
      mayCascade ||= cascades(row);
      pushEdges(edges, row, row.workerId === null ? undefined : slots.get(row.workerId));
    }
    high.push(edges.child.length);
    if (!row.dag.direct) admit.add(row.runId);
  }
  const parts = {
    xcoms: rows.some((row) => row.xcoms !== null),
    retries: rows.some((row) => row.delay !== null),
    ready: edges.mode.includes(CHILD_MODE.queue),
    waiting: edges.mode.includes(CHILD_MODE.admit),
  };
  return { parts, values: values(rows, low, high, edges), mayCascade, admit };
}

/** Only a success whose children all wait for success, or a leaf, is known to settle nothing else. */
function cascades(row: FinishRow): boolean {
  const hasChildren = row.dag.leaf[row.taskIndex] === 0;
  return hasChildren && (row.outcome !== 'success' || row.dag.cascadesOnSuccess[row.taskIndex] === 1);
}

interface Edges {
  child: number[];
  rule: number[];
  mode: number[];
  leaf: boolean[];
}

function pushEdges(edges: Edges, row: FinishRow, slots: Slots | undefined): void {
  const { dag, taskIndex } = row;
  const end = dag.offsets[taskIndex + 1] ?? 0;
  for (let at = dag.offsets[taskIndex] ?? 0; at < end; at++) {
    const child = dag.children[at] ?? 0;
    edges.child.push(child);
    edges.rule.push(dag.rules[child] ?? 0);
    edges.mode.push(childMode(row, child, slots));
    edges.leaf.push(dag.leaf[child] === 1);
  }
}

function childMode({ dag, taskIndex, outcome }: FinishRow, child: number, slots: Slots | undefined): number {
  if (dag.instant[child] === 1) return CHILD_MODE.instant;
  if (!dag.direct) return CHILD_MODE.admit;
  const task = dag.tasks[child];
  const parent = dag.tasks[taskIndex];
  if (!slots || slots.free === 0 || outcome !== 'success' || !task || !parent) return CHILD_MODE.queue;
  // Only a child of one upstream is sure to become ready now. A lower priority than its parent's might overtake others in the queue.
  const fits = task.upstream.length === 1 && task.triggerRule !== 'all_failed' && task.priority >= parent.priority;
  if (!fits || !slots.queues.has(task.queue)) return CHILD_MODE.queue;
  slots.free--;
  return CHILD_MODE.handOver;
}

function values(rows: readonly FinishRow[], low: number[], high: number[], edges: Edges): unknown[] {
  const numbers = (pick: (row: FinishRow) => number | string | boolean | null) => arrayLiteral(rows.map(pick));
  // unnest pads a shorter array with nulls: columns that are null throughout are sent empty
  const texts = (pick: (row: FinishRow) => string | null) =>
    rows.some((row) => pick(row) !== null) ? rows.map(pick) : [];
  return [
    numbers((row) => row.runId),
    numbers((row) => row.taskIndex),
    numbers((row) => row.mapIndex),
    numbers((row) => row.uuid),
    numbers((row) => row.outcome),
    arrayLiteral(low),
    arrayLiteral(high),
    numbers((row) => row.dag.leaf[row.taskIndex] === 1),
    numbers((row) => row.delay),
    numbers((row) => row.expired),
    numbers((row) => row.workerId),
    numbers((row) => row.cause),
    numbers((row) => row.exitCode),
    texts((row) => row.message),
    texts((row) => row.evidence),
    numbers((row) => row.logBytes),
    texts((row) => row.xcoms),
    arrayLiteral(edges.child),
    arrayLiteral(edges.rule),
    arrayLiteral(edges.mode),
    arrayLiteral(edges.leaf),
  ];
}

/**
 * One statement can change a row once only. Splits off the rows that must wait for the next flush: a second report of one instance,
 * and a pair of which one is the other's downstream (a task that started early).
 */
export function withoutConflicts(rows: readonly FinishRow[]): { now: FinishRow[]; later: FinishRow[] } {
  const perRun = new Map<number, number>();
  for (const row of rows) perRun.set(row.runId, (perRun.get(row.runId) ?? 0) + 1);
  const taken = new Map<number, { reported: Set<string>; counted: Set<number> }>();
  const now: FinishRow[] = [];
  const later: FinishRow[] = [];
  for (const row of rows) {
    if (perRun.get(row.runId) === 1) {
      now.push(row);
      continue;
    }
    let run = taken.get(row.runId);
    if (!run) taken.set(row.runId, (run = { reported: new Set(), counted: new Set() }));
    const key = `${row.taskIndex}:${row.mapIndex}`;
    const children = row.dag.children.subarray(row.dag.offsets[row.taskIndex], row.dag.offsets[row.taskIndex + 1]);
    const clash =
      run.reported.has(key) ||
      run.counted.has(row.taskIndex) ||
      children.some((child) => run.reported.has(`${child}:-1`));
    if (clash) later.push(row);
    else {
      now.push(row);
      run.reported.add(key);
      for (const child of children) run.counted.add(child);
    }
  }
  return { now, later };
}

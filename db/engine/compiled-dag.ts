/** A DagVersion as the engine needs it: adjacency in flat arrays, task order = task index. Immutable, so it is cached for ever. */
import type { DagSpec, TaskSpec, TaskSpecBase } from '#sdk/dag-spec.ts';
import { runtimeOf } from '#sdk/task-code.ts';
import { FREE_SET, gatesOf, type GateSet } from './gates.ts';
import { ranksOf } from './priority-weight.ts';
import { isSafeOnSuccess, ruleCode } from './trigger-rules.ts';
import { valueReferences, type ValueReferences } from './value-references.ts';

/** What decides when runs are due. */
export type TimetableSpec = Pick<
  DagSpec,
  'schedule' | 'timezone' | 'startDate' | 'endDate' | 'catchup' | 'dataIntervals'
>;

export interface CompiledDag {
  versionId: number;
  dagId: number;
  dagName: string;
  bundleHash: string | null;
  params: DagSpec['params'];
  timetable: TimetableSpec;
  tasks: readonly TaskSpec[];
  /** Task id → index. */
  indexOf: ReadonlyMap<string, number>;
  /** Children of task i: `children[offsets[i] … offsets[i + 1] - 1]`. */
  offsets: Int32Array;
  children: Int32Array;
  /** Per task. */
  rules: Int8Array;
  upstreams: readonly Int32Array[];
  leaf: Uint8Array;
  /** `empty` tasks: settled by the engine, never launched. */
  instant: Uint8Array;
  /** The success of this task may settle a downstream without a runner: the flush must look further before it commits. */
  cascadesOnSuccess: Uint8Array;
  /** Upstream indexes whose XComs a dispatch of this task carries; null: none. */
  xcomSources: readonly (Int32Array | null)[];
  /** Variables and connections that a dispatch of this task carries; null: none. */
  values: readonly (ValueReferences | null)[];
  maxActiveTasks: number;
  failFast: boolean;
  /** Per task: its place in line. Lower goes first. */
  ranks: Int32Array;
  /** What tasks need to be admitted, beside room in their run: set n is `gateSets[n - 1]`. */
  gateSets: readonly GateSet[];
  /** Per task: the number of its set. */
  gateSetOf: Int32Array;
  /** A task needs more than room in its run. */
  hasGates: boolean;
  /** max_active_tasks can never bind, so a ready task is queued at once. */
  direct: boolean;
}

export interface VersionRow {
  versionId: number;
  dagId: number;
  dagName: string;
  bundleHash: string | null;
  spec: DagSpec;
}

/** Builds the arrays. The spec is valid: every upstream exists and there is no cycle. */
export function compileDag(row: VersionRow): CompiledDag {
  const { tasks } = row.spec;
  const n = tasks.length;
  const indexOf = new Map(tasks.map((task, i) => [task.taskId, i]));
  const upstreams = tasks.map((task) => Int32Array.from(task.upstream, (id) => indexOf.get(id) ?? -1));
  const { offsets, children } = adjacency(upstreams);
  const instant = Uint8Array.from(tasks, (task) => Number(task.kind === 'empty'));
  const leaf = Uint8Array.from(tasks, (_, i) => Number(offsets[i] === offsets[i + 1]));
  const childrenOf = (i: number) => children.subarray(offsets[i], offsets[i + 1]);
  const anyChild = (i: number, test: (child: number) => boolean) => Number(childrenOf(i).some(test));
  const gates = gatesOf(row.spec);
  const rule = (i: number) => tasks[i]?.triggerRule ?? 'all_success';
  const reads = tasks.map((task, i) => {
    const text = JSON.stringify(task).replaceAll('\\"', '"');
    return {
      xcoms: xcomSources(task, text, upstreams[i] ?? new Int32Array(), indexOf),
      values: valueReferences(task, text),
    };
  });
  return {
    versionId: row.versionId,
    dagId: row.dagId,
    dagName: row.dagName,
    bundleHash: row.bundleHash,
    params: row.spec.params,
    timetable: row.spec,
    tasks,
    indexOf,
    offsets,
    children,
    rules: Int8Array.from(tasks, (task) => ruleCode(task.triggerRule)),
    upstreams,
    leaf,
    instant,
    cascadesOnSuccess: Uint8Array.from(tasks, (_, i) =>
      anyChild(i, (c) => instant[c] === 1 || !isSafeOnSuccess(rule(c))),
    ),
    xcomSources: reads.map(({ xcoms }) => xcoms),
    values: reads.map(({ values }) => values),
    maxActiveTasks: row.spec.maxActiveTasks,
    failFast: row.spec.failFast,
    ranks: ranksOf(tasks),
    gateSets: gates.sets,
    gateSetOf: gates.setOf,
    hasGates: gates.sets.length > FREE_SET,
    direct: n <= row.spec.maxActiveTasks,
  };
}

function adjacency(upstreams: readonly Int32Array[]): { offsets: Int32Array; children: Int32Array } {
  const offsets = new Int32Array(upstreams.length + 1);
  for (const list of upstreams) for (const up of list) offsets[up + 1] = (offsets[up + 1] ?? 0) + 1;
  for (let i = 1; i < offsets.length; i++) offsets[i] = (offsets[i] ?? 0) + (offsets[i - 1] ?? 0);
  const next = offsets.slice();
  const children = new Int32Array(offsets[upstreams.length] ?? 0);
  upstreams.forEach((list, child) => {
    for (const up of list) {
      const at = next[up] ?? 0;
      children[at] = child;
      next[up] = at + 1;
    }
  });
  return { offsets, children };
}

/**
 * Inputs always. Where code or a template may ask by name: every upstream, and any other task that a call of `xcom_pull` spells out.
 */
function xcomSources(
  task: TaskSpec,
  text: string,
  upstreams: Int32Array,
  indexOf: ReadonlyMap<string, number>,
): Int32Array | null {
  const wanted = new Set<number>();
  const add = (taskId: string) => {
    const index = indexOf.get(taskId);
    if (index !== undefined) wanted.add(index);
  };
  for (const input of Object.values(task.inputs)) add(input.task);
  const calls = pullCalls(text);
  if (calls.length > 0 || runtimeOf(task) === 'python') for (const up of upstreams) wanted.add(up);
  for (const call of calls) for (const [, name] of call.matchAll(/['"]([\w.-]+)['"]/g)) add(name ?? '');
  return wanted.size === 0 ? null : Int32Array.from(wanted).sort();
}

/** What stands between the parentheses of each xcom_pull in the task's templates and inline code. */
function pullCalls(text: string): string[] {
  return [...text.matchAll(/xcom_pull\(([^)]*)\)/g)].map((match) => match[1] ?? '');
}

/** Tasks that are ready when a run starts. */
export const isEntry = (task: TaskSpecBase): boolean => task.upstream.length === 0 || task.triggerRule === 'always';

/** A DagVersion as the engine needs it: adjacency in flat arrays, task order = task index. Immutable, so it is cached for ever. */
import type { DagSpec, TaskSpec, TaskSpecBase } from '#sdk/dag-spec.ts';
import { sourceTasks } from '#sdk/map-spec.ts';
import { runtimeOf } from '#sdk/task-code.ts';
import { readGraph, type DagGraph } from './dag-graph.ts';
import { readFlow, type Flow } from './flow.ts';
import { FREE_SET, gatesOf, type GateSet } from './gates.ts';
import { ranksOf } from './priority-weight.ts';
import { isSafeOnSuccess, ruleCode, TEARDOWN_RULE, type Rule } from './trigger-rules.ts';
import { valueReferences, type ValueReferences } from './value-references.ts';

/** What decides when runs are due. */
export type TimetableSpec = Pick<
  DagSpec,
  'schedule' | 'timezone' | 'startDate' | 'endDate' | 'catchup' | 'dataIntervals'
>;

export interface CompiledDag extends DagGraph {
  versionId: number;
  dagId: number;
  dagName: string;
  bundleHash: string | null;
  params: DagSpec['params'];
  timetable: TimetableSpec;
  tasks: readonly TaskSpec[];
  /** Per task. */
  rules: Int8Array;
  /** Without downstreams. */
  childless: Uint8Array;
  flow: Flow;
  /** The end of this task may do more than count into its downstreams as they stand: see special-edges.ts. */
  special: Uint8Array;
  /** `empty` tasks: settled by the engine, never launched. */
  instant: Uint8Array;
  /** The success of this task may settle a downstream without a runner: the flush must look further before it commits. */
  cascadesOnSuccess: Uint8Array;
  /** Upstream indexes whose XComs a dispatch of this task carries; null: none. */
  xcomSources: readonly (Int32Array | null)[];
  /** Variables and connections that a dispatch of this task carries; null: none. */
  values: readonly (ValueReferences | null)[];
  /** The task's templates or code speak of the run before. */
  asksPrevious: Uint8Array;
  /** Its templates or code may speak of the updates of assets that a run was made for. */
  asksAssets: Uint8Array;
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
  const graph = readGraph(tasks);
  const { indexOf, offsets, upstreams } = graph;
  const instant = Uint8Array.from(tasks, (task) => Number(task.kind === 'empty'));
  const gates = gatesOf(row.spec);
  const anyChild = (i: number, test: (child: number) => boolean) => Number(graph.childrenOf(i).some(test));
  const flow = readFlow(row.spec, graph);
  const rules = tasks.map(ruleOfTask);
  const isSpecialChild = (c: number) => flow.unitOf[c] !== -1 || flow.expands[c] === 1 || tasks[c]?.teardown != null;
  const reads = tasks.map((task, i) => {
    const text = JSON.stringify(task).replaceAll('\\"', '"');
    return {
      xcoms: xcomSources(task, text, upstreams[i] ?? new Int32Array(), indexOf),
      values: valueReferences(task, text),
      previous: /\bprev_(data_interval|start_date|end_date)/.test(text),
      // Code may do so unseen
      assets: runtimeOf(task) !== null || task.kind === 'sensor' || text.includes('triggering_asset_events'),
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
    ...graph,
    rules: Int8Array.from(rules, ruleCode),
    childless: Uint8Array.from(tasks, (_, i) => Number(offsets[i] === offsets[i + 1])),
    flow,
    special: Uint8Array.from(tasks, (task, i) =>
      Number(task.kind === 'map' || flow.setupScope[i] !== null || anyChild(i, isSpecialChild) === 1),
    ),
    instant,
    cascadesOnSuccess: Uint8Array.from(tasks, (_, i) =>
      anyChild(i, (c) => instant[c] === 1 || isSpecialChild(c) || !isSafeOnSuccess(rules[c] ?? 'all_success')),
    ),
    xcomSources: reads.map(({ xcoms }) => xcoms),
    values: reads.map(({ values }) => values),
    asksPrevious: Uint8Array.from(reads, ({ previous }) => Number(previous)),
    asksAssets: Uint8Array.from(reads, ({ assets }) => Number(assets)),
    maxActiveTasks: row.spec.maxActiveTasks,
    failFast: row.spec.failFast,
    ranks: ranksOf(tasks),
    gateSets: gates.sets,
    gateSetOf: gates.setOf,
    hasGates: gates.sets.length > FREE_SET,
    // How many instances a mapped task will have is not known
    direct: n <= row.spec.maxActiveTasks && flow.members.size === 0,
  };
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
  // The lists that it runs over are not among them: each instance has its item
  const lists = new Set(task.map ? sourceTasks(task.map).map((id) => indexOf.get(id)) : []);
  if (calls.length > 0 || runtimeOf(task) === 'python') for (const up of upstreams) if (!lists.has(up)) wanted.add(up);
  for (const call of calls) for (const [, name] of call.matchAll(/['"]([\w.-]+)['"]/g)) add(name ?? '');
  return wanted.size === 0 ? null : Int32Array.from(wanted).sort();
}

/** What stands between the parentheses of each xcom_pull in the task's templates and inline code. */
function pullCalls(text: string): string[] {
  return [...text.matchAll(/xcom_pull\(([^)]*)\)/g)].map((match) => match[1] ?? '');
}

export const ruleOfTask = (task: TaskSpecBase): Rule => (task.teardown ? TEARDOWN_RULE : task.triggerRule);

/** Tasks that are ready when a run starts. */
export const isEntry = (task: TaskSpecBase): boolean => task.upstream.length === 0 || task.triggerRule === 'always';

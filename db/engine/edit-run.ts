/**
 * Pure: what a person's hand on some tasks does to a whole run. All counters are computed afresh and trigger rules asked again until
 * nothing changes. Slow and obviously right beside the incremental path of a flush.
 */
import { isFinishedTaskState, type TaskState } from '#sdk/states.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { branchSkips, isOtherOfTeardown, type BranchChoice } from './special-edges.ts';
import { decide, ruleOf, TEARDOWN_RULE, type UpstreamCounts } from './trigger-rules.ts';

export interface Instance {
  taskIndex: number;
  mapIndex: number;
  state: TaskState;
  counts: UpstreamCounts;
  tryNumber: number;
  maxTries: number;
  /** What it chose, if it is a branch that has. */
  branch?: BranchChoice | null;
}

/** `clear` starts over with fresh retries; the others are said to have ended so. */
export type EditAction = 'clear' | 'success' | 'failed' | 'skipped' | 'cancelled';

export interface RunTotals {
  remaining: number;
  /** Queued or running. */
  active: number;
  failedLeaves: number;
}

export interface RunEdit {
  /** All instances after the edit. */
  instances: Instance[];
  /** Those that differ from before, or were named. */
  changed: Instance[];
  /** Rows that stand for a mapped unit again: its instances are made anew when it is ready. */
  made: ReadonlySet<Instance>;
  /** The instances that they replace. */
  removed: Instance[];
  totals: RunTotals;
}

export const keyOf = ({ taskIndex, mapIndex }: Pick<Instance, 'taskIndex' | 'mapIndex'>): string =>
  `${taskIndex}:${mapIndex}`;

/** `triesSpent`: tries on record of the row that stands for a mapped unit, by its task. */
export interface EditInput {
  dag: CompiledDag;
  before: readonly Instance[];
  /** Keys of the instances that it is about. */
  targets: ReadonlySet<string>;
  action: EditAction;
  triesSpent?: ReadonlyMap<number, number>;
}

export function editRun({ dag, before, targets, action, triesSpent = new Map() }: EditInput): RunEdit {
  const model = createModel(dag, before);
  const made = action === 'clear' ? collapse(model, targets, triesSpent) : new Set<Instance>();
  const kept = new Set(model.all().map(keyOf));
  for (const instance of model.all())
    if (targets.has(keyOf(instance)) && !made.has(instance)) applyAction(instance, action, dag);
  model.branches = model.all().filter((instance) => instance.branch);

  // All of them: a run that was cancelled has stopped counting
  const open = new Set(model.all());
  for (const instance of open) {
    open.delete(instance);
    if (settle(model, instance)) for (const other of model.dependents(instance)) open.add(other);
  }
  const beforeByKey = new Map(before.map((instance) => [keyOf(instance), instance]));
  const instances = model.all();
  const isChanged = (instance: Instance) =>
    made.has(instance) || targets.has(keyOf(instance)) || !sameInstance(instance, beforeByKey.get(keyOf(instance)));
  return {
    instances,
    changed: instances.filter(isChanged),
    made,
    removed: before.filter((instance) => !kept.has(keyOf(instance))),
    totals: totalsOf(dag, instances),
  };
}

interface Model {
  dag: CompiledDag;
  byTask: Instance[][];
  /** Those that have chosen, and still stand. */
  branches: Instance[];
  all(): Instance[];
  /** The instances of another task that one of `from` has to do with. */
  peers(from: Instance, other: number): Instance[];
  /** Whom a change of this one may concern. */
  dependents(instance: Instance): Instance[];
}

function createModel(dag: CompiledDag, before: readonly Instance[]): Model {
  const { flow } = dag;
  const byTask: Instance[][] = dag.tasks.map(() => []);
  for (const instance of before) byTask[instance.taskIndex]?.push({ ...instance, counts: { ...instance.counts } });
  const peers = (from: Instance, other: number): Instance[] => {
    const instances = byTask[other] ?? [];
    const unit = flow.unitOf[other];
    if (unit === -1 || unit !== flow.unitOf[from.taskIndex] || instances.length < 2) return instances;
    return instances.filter(({ mapIndex }) => mapIndex === from.mapIndex || from.mapIndex === -1);
  };
  return {
    dag,
    byTask,
    branches: [],
    all: () => byTask.flat(),
    peers,
    dependents: (instance) =>
      [
        ...dag.childrenOf(instance.taskIndex),
        ...(flow.setupScope[instance.taskIndex] ?? []),
        ...(flow.members.get(instance.taskIndex) ?? []),
        ...(instance.branch ? branchSkips(dag, instance, instance.branch) : []),
      ].flatMap((other) => peers(instance, other)),
  };
}

/** A mapped task that is cleared as a whole, or the `map` task of a group, runs over what its sources say then. */
function collapse(
  { dag, byTask }: Model,
  targets: ReadonlySet<string>,
  triesSpent: ReadonlyMap<number, number>,
): Set<Instance> {
  const made = new Set<Instance>();
  for (const [expander, members] of dag.flow.members) {
    const own = byTask[expander] ?? [];
    if (own.length === 0 || !own.every((instance) => targets.has(keyOf(instance)))) continue;
    for (const member of members) {
      if (byTask[member]?.some(({ mapIndex }) => mapIndex >= 0) !== true) continue;
      const tryNumber = triesSpent.get(member) ?? 0;
      const counts = { total: 0, success: 0, failed: 0, upstreamFailed: 0, skipped: 0 };
      const maxTries = tryNumber + (dag.tasks[member]?.retries ?? 0) + 1;
      const row: Instance = { taskIndex: member, mapIndex: -1, state: 'none', counts, tryNumber, maxTries };
      byTask[member] = [row];
      made.add(row);
    }
  }
  return made;
}

function applyAction(instance: Instance, action: EditAction, dag: CompiledDag): void {
  instance.state = action === 'clear' ? 'none' : action;
  if (action !== 'clear') return;
  instance.maxTries = instance.tryNumber + (dag.tasks[instance.taskIndex]?.retries ?? 0) + 1;
  instance.branch = null;
}

/** Counts the upstreams of one instance again and asks its rule. True when its state changed. */
function settle(model: Model, instance: Instance): boolean {
  const { dag } = model;
  const { taskIndex, mapIndex } = instance;
  instance.counts = countUpstreams(model, instance);
  if (instance.state !== 'none') return false;
  const verdict = forcedState(model, instance) ?? decide(ruleOf(dag.rules[taskIndex] ?? 0), instance.counts);
  const unit = dag.flow.unitOf[taskIndex] ?? -1;
  // Its instances are made by the group's `map` task
  const waits = verdict === 'ready' && mapIndex === -1 && unit !== -1 && unit !== taskIndex;
  if (verdict === null || waits) return false;
  if (verdict === 'ready') instance.state = dag.instant[taskIndex] === 1 ? 'success' : 'scheduled';
  else instance.state = verdict;
  return true;
}

/** What its rule is not asked about. */
function forcedState(model: Model, instance: Instance): 'upstream_failed' | 'skipped' | null {
  const { dag } = model;
  const needed = [...(dag.flow.setupsOf.get(instance.taskIndex) ?? [])];
  const unit = dag.flow.unitOf[instance.taskIndex] ?? -1;
  if (unit !== -1 && unit !== instance.taskIndex) needed.push(unit);
  const states = needed.flatMap((index) => model.peers(instance, index).map(({ state }) => state));
  if (states.some((state) => isFailure(state))) return 'upstream_failed';
  const isLeftAside = () =>
    model.branches.some(
      (branch) =>
        branch.state === 'success' &&
        branch.branch &&
        branchSkips(dag, branch, branch.branch).has(instance.taskIndex) &&
        model.peers(branch, instance.taskIndex).includes(instance),
    );
  return states.includes('skipped') || isLeftAside() ? 'skipped' : null;
}

export function countUpstreams({ dag, peers }: Pick<Model, 'dag' | 'peers'>, instance: Instance): UpstreamCounts {
  const counts = { total: 0, success: 0, failed: 0, upstreamFailed: 0, skipped: 0 };
  const isTeardown = ruleOf(dag.rules[instance.taskIndex] ?? 0) === TEARDOWN_RULE;
  for (const up of dag.upstreams[instance.taskIndex] ?? []) {
    const isOther = isOtherOfTeardown(dag, up, instance.taskIndex);
    for (const { state } of peers(instance, up)) {
      counts.total++;
      if (isOther) counts.upstreamFailed += Number(isFinishedTaskState(state));
      else if (state === 'success') counts.success++;
      else if (state === 'skipped') counts.skipped++;
      else if (isTeardown ? isFailure(state) : state === 'failed' || state === 'cancelled') counts.failed++;
      else if (state === 'upstream_failed') counts.upstreamFailed++;
    }
  }
  return counts;
}

const isFailure = (state: TaskState): boolean =>
  state === 'failed' || state === 'upstream_failed' || state === 'cancelled';

export function totalsOf(dag: CompiledDag, instances: readonly Instance[]): RunTotals {
  const totals = { remaining: 0, active: 0, failedLeaves: 0 };
  for (const { state, taskIndex } of instances) {
    if (!isFinishedTaskState(state)) totals.remaining++;
    if (state === 'queued' || state === 'running') totals.active++;
    if (dag.flow.leaf[taskIndex] === 1 && isFailure(state)) totals.failedLeaves++;
  }
  return totals;
}

const sameInstance = (a: Instance, b: Instance | undefined): boolean =>
  b !== undefined &&
  a.state === b.state &&
  a.maxTries === b.maxTries &&
  a.counts.total === b.counts.total &&
  a.counts.success === b.counts.success &&
  a.counts.failed === b.counts.failed &&
  a.counts.upstreamFailed === b.counts.upstreamFailed &&
  a.counts.skipped === b.counts.skipped;

/**
 * Pure: what a person's hand on some tasks does to a whole run. All counters are computed afresh and trigger rules asked again until
 * nothing changes. Slow and obviously right beside the incremental path of a flush.
 */
import { TRIGGER_RULES } from '#sdk/dag-spec.ts';
import { isFinishedTaskState, type TaskState } from '#sdk/states.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { decide, type UpstreamCounts } from './trigger-rules.ts';

export interface Instance {
  state: TaskState;
  counts: UpstreamCounts;
  tryNumber: number;
  maxTries: number;
}

/** `clear` starts over with fresh retries; the others are said to have ended so. */
export type EditAction = 'clear' | 'success' | 'failed' | 'skipped';

export interface RunTotals {
  remaining: number;
  /** Queued or running. */
  active: number;
  failedLeaves: number;
}

export interface RunEdit {
  /** All instances after the edit, by task index. */
  instances: Instance[];
  /** Those that differ from before. */
  changed: number[];
  totals: RunTotals;
}

export function editRun(
  dag: CompiledDag,
  before: readonly Instance[],
  targets: ReadonlySet<number>,
  action: EditAction,
): RunEdit {
  const after = before.map((instance) => ({ ...instance, counts: { ...instance.counts } }));
  for (const index of targets) applyAction(after[index], action, dag.tasks[index]?.retries ?? 0);

  // All of them: a run that was cancelled has stopped counting
  const open = new Set<number>(after.keys());
  while (open.size > 0) {
    const [index] = open;
    if (index === undefined) break;
    open.delete(index);
    if (settle(dag, after, index)) for (const child of childrenOf(dag, index)) open.add(child);
  }
  const changed = after.flatMap((instance, i) => (targets.has(i) || !sameInstance(instance, before[i]) ? [i] : []));
  return { instances: after, changed, totals: totalsOf(dag, after) };
}

const childrenOf = (dag: CompiledDag, index: number): Int32Array =>
  dag.children.subarray(dag.offsets[index], dag.offsets[index + 1]);

function applyAction(instance: Instance | undefined, action: EditAction, retries: number): void {
  if (!instance) return;
  instance.state = action === 'clear' ? 'none' : action;
  if (action === 'clear') instance.maxTries = instance.tryNumber + retries + 1;
}

/** Counts the upstreams of one instance again and asks its rule. True when its state changed. */
function settle(dag: CompiledDag, instances: Instance[], index: number): boolean {
  const instance = instances[index];
  if (!instance) return false;
  instance.counts = countUpstreams(dag, instances, index);
  if (instance.state !== 'none') return false;
  const verdict = decide(TRIGGER_RULES[dag.rules[index] ?? 0] ?? 'all_success', instance.counts);
  if (verdict === null) return false;
  if (verdict === 'ready') instance.state = dag.instant[index] === 1 ? 'success' : 'scheduled';
  else instance.state = verdict;
  return true;
}

export function countUpstreams(dag: CompiledDag, instances: readonly Instance[], index: number): UpstreamCounts {
  const upstreams = dag.upstreams[index] ?? new Int32Array();
  const counts = { total: upstreams.length, success: 0, failed: 0, upstreamFailed: 0, skipped: 0 };
  for (const up of upstreams) {
    const state = instances[up]?.state;
    if (state === 'success') counts.success++;
    else if (state === 'failed' || state === 'cancelled') counts.failed++;
    else if (state === 'upstream_failed') counts.upstreamFailed++;
    else if (state === 'skipped') counts.skipped++;
  }
  return counts;
}

export function totalsOf(dag: CompiledDag, instances: readonly Instance[]): RunTotals {
  const totals = { remaining: 0, active: 0, failedLeaves: 0 };
  instances.forEach(({ state }, i) => {
    if (!isFinishedTaskState(state)) totals.remaining++;
    if (state === 'queued' || state === 'running') totals.active++;
    const isFailure = state === 'failed' || state === 'upstream_failed' || state === 'cancelled';
    if (dag.leaf[i] === 1 && isFailure) totals.failedLeaves++;
  });
  return totals;
}

const sameInstance = (a: Instance, b: Instance | undefined): boolean =>
  b !== undefined &&
  a.state === b.state &&
  a.maxTries === b.maxTries &&
  a.counts.success === b.counts.success &&
  a.counts.failed === b.counts.failed &&
  a.counts.upstreamFailed === b.counts.upstreamFailed &&
  a.counts.skipped === b.counts.skipped;

/** The tasks an edit is about: those named, and what lies up- or downstream of them. */
export function selectTasks(
  dag: CompiledDag,
  named: readonly number[],
  follow: { upstream: boolean; downstream: boolean },
): Set<number> {
  const selected = new Set(named);
  const walk = (next: (index: number) => Iterable<number>) => {
    const stack = [...named];
    const seen = new Set(named);
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      for (const other of next(index)) {
        if (seen.has(other)) continue;
        seen.add(other);
        selected.add(other);
        stack.push(other);
      }
    }
  };
  if (follow.downstream) walk((index) => childrenOf(dag, index));
  if (follow.upstream) walk((index) => dag.upstreams[index] ?? []);
  return selected;
}

/** Pure: which rows of a flush get in each other's way. */
import type { FinishRow } from './flush-plan.ts';
import { isSpecial, SCOPE, specialEdges } from './special-edges.ts';

/**
 * One statement can change a row once only. Splits off the rows that must wait for the next flush: a second report of one instance,
 * and a pair of which one is counted into the other (a task that started early).
 */
export function withoutConflicts(rows: readonly FinishRow[]): { now: FinishRow[]; later: FinishRow[] } {
  const perRun = new Map<number, number>();
  for (const row of rows) perRun.set(row.runId, (perRun.get(row.runId) ?? 0) + 1);
  const taken = new Map<number, Taken>();
  const now: FinishRow[] = [];
  const later: FinishRow[] = [];
  for (const row of rows) {
    if (perRun.get(row.runId) === 1) {
      now.push(row);
      continue;
    }
    let run = taken.get(row.runId);
    if (!run) taken.set(row.runId, (run = { instances: new Set(), tasks: new Set(), counted: new Set() }));
    const targets = targetsOf(row);
    if (clashes(row, targets, run)) later.push(row);
    else {
      now.push(row);
      run.instances.add(`${row.taskIndex}:${row.mapIndex}`);
      run.tasks.add(row.taskIndex);
      for (const { child, mapIndex } of targets) run.counted.add(`${child}:${mapIndex}`);
    }
  }
  return { now, later };
}

interface Taken {
  /** Reported: instances, and their tasks. */
  instances: Set<string>;
  tasks: Set<number>;
  /** Counted into. */
  counted: Set<string>;
}

interface Target {
  child: number;
  mapIndex: number | '*';
}

const clashes = ({ taskIndex, mapIndex }: FinishRow, targets: readonly Target[], run: Taken): boolean =>
  run.instances.has(`${taskIndex}:${mapIndex}`) ||
  run.counted.has(`${taskIndex}:${mapIndex}`) ||
  run.counted.has(`${taskIndex}:*`) ||
  targets.some((target) =>
    target.mapIndex === '*' ? run.tasks.has(target.child) : run.instances.has(`${target.child}:${target.mapIndex}`),
  );

function targetsOf(row: FinishRow): Target[] {
  if (!isSpecial(row)) return Array.from(row.dag.childrenOf(row.taskIndex), (child) => ({ child, mapIndex: -1 }));
  return specialEdges(row).map(({ child, scope }) => ({
    child,
    mapIndex: scope === SCOPE.one ? -1 : scope === SCOPE.same ? row.mapIndex : '*',
  }));
}

/** Sends what ended, and in further rounds what follows from it without a runner. */
import type { TaskState } from '#sdk/states.ts';
import { FINISH_ROW, finishTasks } from '#db/queries/task-transitions/finish-tasks.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { expandTasks, type Unexpanded } from './expand-tasks.ts';
import { withoutConflicts } from './flush-conflicts.ts';
import { planFinish, settledRow, type FinishRow, type Slots } from './flush-plan.ts';
import type { Transaction } from './transaction.ts';

export interface FinishResult {
  kind: number;
  a: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
  try_number: number;
  max_tries: number;
  worker_id: number;
  state: TaskState | null;
  extra: number;
}

export interface Endings {
  /** Reports, and instances that are settled already. */
  rows: FinishRow[];
  /** Mapped tasks that are ready. */
  unexpanded: Unexpanded[];
  slots: ReadonlyMap<number, Slots>;
  /** Runs whose ready tasks pass through admission: added to. */
  admit: Set<number>;
  /** Instances that may have let go of what they held: added to. */
  holders: Pick<FinishRow, 'runId' | 'taskIndex' | 'mapIndex'>[];
}

/**
 * Instances that are settled without running are counted into their children in turn, mapped tasks that become ready get their instances,
 * until nothing more follows. The first answer is that for `rows`.
 */
export async function sendFinishes(
  tx: Transaction,
  { rows, unexpanded, slots, admit, holders }: Endings,
): Promise<Promise<FinishResult[]>[]> {
  const dags = new Map<number, CompiledDag>([...rows, ...unexpanded].map((one) => [one.runId, one.dag]));
  const sent: Promise<FinishResult[]>[] = [];
  const rounds = [rows];
  const expand = async (ready: Unexpanded[]) => {
    if (ready.length === 0) return;
    for (const { runId } of ready) admit.add(runId);
    let left = await expandTasks(tx, ready);
    while (left.length > 0) {
      const { now, later } = withoutConflicts(left);
      rounds.push(now);
      left = later;
    }
  };
  await expand(unexpanded);
  for (let round = rounds.shift(); round; round = rounds.shift()) {
    if (round.length === 0) {
      sent.push(Promise.resolve([]));
      continue;
    }
    const plan = planFinish(round, slots);
    for (const runId of plan.admit) admit.add(runId);
    holders.push(...plan.holders);
    const answer = tx.send<FinishResult>(finishTasks(plan.parts), plan.values);
    sent.push(answer);
    if (!plan.mayCascade) continue;
    const { settled, ready } = whatFollows(await answer, dags);
    if (settled.length > 0) rounds.push(settled);
    await expand(ready);
  }
  return sent;
}

function whatFollows(
  results: readonly FinishResult[],
  dags: ReadonlyMap<number, CompiledDag>,
): { settled: FinishRow[]; ready: Unexpanded[] } {
  const settled: FinishRow[] = [];
  const ready: Unexpanded[] = [];
  for (const { kind, a: runId, task_index: taskIndex, map_index: mapIndex, state } of results) {
    const dag = dags.get(runId);
    if (kind !== FINISH_ROW.changed || !dag) continue;
    if (state === 'success' || state === 'skipped' || state === 'upstream_failed')
      settled.push(settledRow(dag, { runId, taskIndex, mapIndex }, state));
    else if (state === 'scheduled' && mapIndex === -1 && dag.flow.expands[taskIndex] === 1)
      ready.push({ runId, taskIndex, dag });
  }
  return { settled, ready };
}

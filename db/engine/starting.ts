/** Dispatches that a cluster runs: queued until their code begins, which somebody saw there. */
import { clusterOfQueue } from '#sdk/system-tasks.ts';
import { START_TASKS, START_TO_END, TELL_LAUNCHES } from '#db/queries/task-transitions/start-tasks.ts';
import type { DispatchKey } from './dispatch-id.ts';
import type { FinishRow } from './flush-plan.ts';
import { dispatchColumns } from './key-columns.ts';
import type { Transaction } from './transaction.ts';
import type { StartedDispatch } from './work-items.ts';

/** The runs are locked. */
export function sendStarted(tx: Transaction, started: readonly StartedDispatch[]): void {
  if (started.length > 0) void tx.send(START_TASKS, startColumns(started));
}

/** Those that are not starting any more are left out. The runs are locked. */
export function sendTold(tx: Transaction, told: readonly DispatchKey[]): void {
  if (told.length > 0) void tx.send(TELL_LAUNCHES, dispatchColumns(told));
}

/** A Pod that was too short to be seen running, or never ran, ends all the same. The runs are locked. */
export function sendStartToEnd(tx: Transaction, rows: readonly FinishRow[]): void {
  const launched = rows.filter(
    (row) => row.uuid !== null && clusterOfQueue(row.dag.tasks[row.taskIndex]?.queue) !== null,
  );
  if (launched.length === 0) return;
  void tx.send(START_TO_END, startColumns(launched.map((row) => ({ ...row, startedAt: row.startedAt ?? null }))));
}

type Key = Omit<DispatchKey, 'uuid'> & { uuid: string | null };
const startColumns = (rows: readonly (Key & Pick<StartedDispatch, 'startedAt'>)[]): unknown[] => [
  ...dispatchColumns(rows),
  rows.map((row) => row.startedAt),
];

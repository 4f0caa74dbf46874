/** Dispatches that leave their worker without ending the try: handed back, deferred, or put off until later. */
import type { TaskReport } from '#sdk/protocol.ts';
import { isSystemQueue } from '#sdk/system-tasks.ts';
import { DEFER_TASKS, RESUME_TASKS } from '#db/queries/task-transitions/defer-tasks.ts';
import { RELEASE_TASKS } from '#db/queries/task-transitions/release-tasks.ts';
import { RESCHEDULE_TASKS } from '#db/queries/task-transitions/reschedule-tasks.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import type { DispatchKey } from './dispatch-id.ts';
import { dispatchColumns } from './key-columns.ts';
import type { FinishRow } from './flush-plan.ts';
import type { Transaction } from './transaction.ts';
import type { AsideRow } from './work-items.ts';

/** The row of a report that ends no try; null: it ends one. */
export function asideRow(report: TaskReport, key: DispatchKey, queue: string): AsideRow | null {
  if (report.outcome === 'released') return { ...key, how: 'released', undelivered: false };
  if (report.outcome === 'rescheduled') return { ...key, how: 'rescheduled', afterSeconds: report.afterSeconds ?? 0 };
  if (report.outcome !== 'deferred') return null;
  if (!isSystemQueue(queue)) throw new Error(`${report.dispatchId} is deferred, and no task of the system.`);
  if (!report.defer) throw new Error(`${report.dispatchId} is deferred without saying what it waits for.`);
  return { ...key, how: 'deferred', defer: report.defer };
}

const ofKind = <How extends AsideRow['how']>(rows: readonly AsideRow[], how: How) =>
  rows.flatMap((row, i) => (row.how === how ? [{ row: row as Extract<AsideRow, { how: How }>, i }] : []));

/** Sends what `rows` need. Resolves to those that were accepted, numbered from 1. The runs are locked. */
export async function sendAside(tx: Transaction, rows: readonly AsideRow[]): Promise<{ n: number }[]> {
  const released = ofKind(rows, 'released');
  const deferred = ofKind(rows, 'deferred');
  const rescheduled = ofKind(rows, 'rescheduled');
  const send = async (statement: typeof RELEASE_TASKS, part: { i: number }[], values: unknown[]) => {
    if (part.length === 0) return [];
    const accepted = await tx.send<{ n: number }>(statement, values);
    return accepted.map(({ n }) => ({ n: (part[n - 1]?.i ?? -1) + 1 }));
  };
  const sent = [
    send(RELEASE_TASKS, released, [
      ...dispatchColumns(released.map(({ row }) => row)),
      arrayLiteral(released.map(({ row }) => row.undelivered)),
    ]),
    send(DEFER_TASKS, deferred, [...dispatchColumns(deferred.map(({ row }) => row)), ...waitColumns(deferred)]),
    send(RESCHEDULE_TASKS, rescheduled, [
      ...dispatchColumns(rescheduled.map(({ row }) => row)),
      arrayLiteral(rescheduled.map(({ row }) => row.afterSeconds)),
    ]),
  ];
  return (await Promise.all(sent)).flat();
}

function waitColumns(deferred: { row: Extract<AsideRow, { how: 'deferred' }> }[]): unknown[] {
  const waits = deferred.map(({ row }) => row.defer);
  return [
    waits.map((wait) => wait.kind),
    waits.map((wait) => JSON.stringify(wait.spec)),
    waits.map((wait) => wait.dueAt),
    waits.map((wait) => wait.timeoutSeconds),
    waits.map((wait) => wait.watchKey),
  ];
}

/** Only system tasks are ever deferred, so only their ends need to look. */
export function sendResume(tx: Transaction, rows: readonly FinishRow[]): void {
  const system = rows.filter((row) => row.uuid !== null && isSystemQueue(row.dag.tasks[row.taskIndex]?.queue));
  if (system.length > 0) void tx.send(RESUME_TASKS, dispatchColumns(system));
}

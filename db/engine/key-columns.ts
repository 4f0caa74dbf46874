/** Which task instances a statement is about, as the arrays that its first parameters are. */
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import type { ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';
import type { DispatchKey } from './dispatch-id.ts';

export type InstanceKey = Omit<DispatchKey, 'uuid'>;

export const keyColumns = (keys: readonly InstanceKey[]): string[] => [
  arrayLiteral(keys.map((key) => key.runId)),
  arrayLiteral(keys.map((key) => key.taskIndex)),
  arrayLiteral(keys.map((key) => key.mapIndex)),
];

/** With their dispatches; null: none is asked for. */
export const dispatchColumns = (keys: readonly (InstanceKey & { uuid: string | null })[]): string[] => [
  ...keyColumns(keys),
  arrayLiteral(keys.map((key) => key.uuid)),
];

/** Rows of ready_task. */
export const readyColumns = (rows: readonly ReadyRow[]): [string[], string, string] => [
  rows.map((row) => row.queue),
  arrayLiteral(rows.map((row) => row.rank)),
  arrayLiteral(rows.map((row) => row.id)),
];

/** The field `queue` of tasks that the service settles itself. */
import { id, type Field, type Plain } from './spec-fields.ts';
import { SYSTEM_QUEUE } from './system-tasks.ts';

/** What a DAG presets for its workers may stand here, and is overwritten. */
export const systemQueue: Field<string> = {
  schema: { anyOf: [id.schema, { const: SYSTEM_QUEUE }] },
  fallback: () => 'default',
  read: (value, path, report) => (value === SYSTEM_QUEUE ? SYSTEM_QUEUE : id.read(value, path, report)),
};

export function settledByService(task: Plain): void {
  task['queue'] = SYSTEM_QUEUE;
}

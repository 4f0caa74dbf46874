/** The field `queue` of tasks that no worker takes. */
import { id, type Field, type Plain } from './spec-fields.ts';
import { clusterOfQueue, clusterQueue, isClusterQueue, SYSTEM_QUEUE } from './system-tasks.ts';

const CLUSTER_PATTERN = '^@kubernetes/[A-Za-z0-9_.-]{1,200}$';

/** What a DAG presets for its workers may stand here, and is overwritten. */
export const systemQueue: Field<string> = {
  schema: { anyOf: [id.schema, { const: SYSTEM_QUEUE }] },
  fallback: () => 'default',
  read: (value, path, report) => (value === SYSTEM_QUEUE ? SYSTEM_QUEUE : id.read(value, path, report)),
};

/** Of tasks that may run on a cluster: a canonical spec is read again. */
export const anyQueue: Field<string> = {
  schema: { anyOf: [...(systemQueue.schema['anyOf'] as object[]), { type: 'string', pattern: CLUSTER_PATTERN }] },
  fallback: () => 'default',
  read: (value, path, report) => {
    if (typeof value !== 'string' || !isClusterQueue(value)) return systemQueue.read(value, path, report);
    id.read(clusterOfQueue(value), path, report);
    return value;
  },
};

export function settledByService(task: Plain): void {
  task['queue'] = SYSTEM_QUEUE;
}

export function settledByCluster(task: Plain, cluster: unknown): void {
  // One that is none is told elsewhere
  if (typeof cluster === 'string') task['queue'] = clusterQueue(cluster);
}

/** A queue of the service that came along is none of its own. */
export function settledByWorker(task: Plain): void {
  if (typeof task['queue'] === 'string' && task['queue'].startsWith('@')) task['queue'] = 'default';
}

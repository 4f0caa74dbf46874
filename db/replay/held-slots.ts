/** What each instance should hold, by the spec's words alone. */
import type { TaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { RunRecord } from './run-record.ts';

/** Slots are held by those who are queued or running, and by nobody else. */
export function slotProblems(record: RunRecord): string[] {
  const { spec, instances, held } = record;
  const expected = instances
    .filter((row) => row.state === 'queued' || row.state === 'running')
    .flatMap((row) => {
      const task = spec.tasks[row.task_index];
      const holds = task && task.kind !== 'empty' ? holdsOf(task, record) : {};
      return Object.entries(holds).map(([gate, slots]) => `${row.task_index}.${row.map_index} ${gate} ${slots}`);
    });
  // A pool may let the deferred keep their slots
  const deferred = new Set(instances.filter((row) => row.state === 'deferred').map((row) => row.task_index));
  const kept = held
    .filter((row) => !(deferred.has(row.task_index) && row.gate.startsWith('pool:')))
    .map((row) => `${row.task_index}.${row.map_index} ${row.gate} ${row.slots}`);
  if (expected.sort().join() === kept.sort().join()) return [];
  return [`held_slot holds [${kept.join(', ')}], should be [${expected.join(', ')}]`];
}

/** Slots by gate, of one instance. */
export function holdsOf(task: TaskSpec, { run, spec, values }: RunRecord): { [gate: string]: number } {
  const holds: { [gate: string]: number } = {};
  if (task.pool) holds[`pool:${task.pool}`] = task.poolSlots;
  if (spec.maxActiveTasksPerDag) holds[`dag:${run.dag_id}`] = 1;
  if (task.maxActiveTis) holds[`task:${run.dag_id}:${task.taskId}`] = 1;
  if (task.maxActiveTisPerRun) holds[`run:${run.id}:${task.taskId}`] = 1;
  if (task.concurrencyKey) {
    const key = task.concurrencyKey.key.map((path) => lookUp(path.split('.'), values));
    holds[`key:${run.dag_id}:${task.taskId}:${JSON.stringify(key)}`] = 1;
  }
  return holds;
}

const lookUp = (path: string[], from: unknown): Json =>
  path.reduce<unknown>((value, name) => (value as { [key: string]: unknown } | null | undefined)?.[name], from) as Json;

/** A task's weight by its rule: its own priority, or with that of everything on the one side of it. */
export function weightOf(task: TaskSpec, tasks: readonly TaskSpec[]): number {
  const next = (one: TaskSpec): TaskSpec[] =>
    task.weightRule === 'upstream'
      ? tasks.filter((other) => one.upstream.includes(other.taskId))
      : tasks.filter((other) => other.upstream.includes(one.taskId));
  const counted = new Set([task]);
  if (task.weightRule !== 'absolute') for (const one of counted) for (const other of next(one)) counted.add(other);
  const weight = [...counted].reduce((sum, one) => sum + one.priority, 0);
  return Math.max(-(2 ** 31 - 1), Math.min(2 ** 31 - 1, weight));
}

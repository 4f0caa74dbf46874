/**
 * Gates: what a task instance needs slots or a token of before it may be queued. Pure. A task's needs are known from its version;
 * the gates' names from the run as well. Tasks of equal needs form a gate set: they wait together, as one.
 */
import { createHash } from 'node:crypto';
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';

/** In the order in which gates are asked: those that a DAG keeps for itself before those that it shares. */
export type Need =
  | { kind: 'run' | 'task'; task: string; index: number; limit: number }
  | { kind: 'key'; task: string; key: string[]; limit: number }
  | { kind: 'dag'; limit: number }
  | { kind: 'pool'; pool: string; slots: number }
  | { kind: 'rate'; task: string; key: string[]; name: string | null; limit: number; per: number };

export type GateSet = readonly Need[];

/** A task without needs has this set. */
export const FREE_SET = 1;

export interface Gates {
  /** Set n is `sets[n - 1]`. */
  sets: readonly GateSet[];
  /** Per task: the number of its set. */
  setOf: Int32Array;
}

type Limited = Pick<DagSpec, 'maxActiveTasksPerDag' | 'tasks'>;

/** The same for the same spec, always: the database keeps the numbers. */
export function gatesOf(spec: Limited): Gates {
  const sets: GateSet[] = [[]];
  const numbers = new Map<string, number>([['[]', FREE_SET]]);
  const setOf = Int32Array.from(spec.tasks, (task, index) => {
    const needs = needsOf(task, index, spec);
    const key = JSON.stringify(needs);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, sets.push(needs));
    return sets.length;
  });
  return { sets, setOf };
}

/** Specs of before there were limits say nothing of them. */
function needsOf(task: TaskSpec, index: number, spec: Limited): GateSet {
  // Settled by the engine: it takes up nothing
  if (task.kind === 'empty' || task.kind === 'map') return [];
  const { taskId, maxActiveTisPerRun: perRun, maxActiveTis: perTask, concurrencyKey, pool, rateLimit } = task;
  const needs: Need[] = [];
  if (perRun) needs.push({ kind: 'run', task: taskId, index, limit: perRun });
  if (perTask) needs.push({ kind: 'task', task: taskId, index, limit: perTask });
  if (concurrencyKey) needs.push({ kind: 'key', task: taskId, key: concurrencyKey.key, limit: concurrencyKey.limit });
  if (spec.maxActiveTasksPerDag) needs.push({ kind: 'dag', limit: spec.maxActiveTasksPerDag });
  if (pool) needs.push({ kind: 'pool', pool, slots: task.poolSlots });
  if (rateLimit) needs.push({ kind: 'rate', task: taskId, ...rateLimit });
  return needs;
}

/** What a run's names are made of. */
export interface GateRun {
  runId: number;
  dagId: number;
  /** Null: no task of the DAG asks for them. */
  values: RunValues | null;
}
export interface RunValues {
  params: { [key: string]: Json };
  conf: { [key: string]: Json };
}

export const gateName = (need: Need, run: GateRun): string => {
  switch (need.kind) {
    case 'run':
      return `run:${run.runId}:${need.task}`;
    case 'task':
      return `task:${run.dagId}:${need.task}`;
    case 'key':
      return `key:${run.dagId}:${need.task}:${keyText(need.key, run.values)}`;
    case 'dag':
      return `dag:${run.dagId}`;
    case 'pool':
      return poolGate(need.pool);
    case 'rate': {
      const owner = need.name ?? `${run.dagId}:${need.task}`;
      return need.key.length === 0 ? `rate:${owner}` : `rate:${owner}:${keyText(need.key, run.values)}`;
    }
  }
};

export const poolGate = (pool: string): string => `pool:${pool}`;
/** Where those wait whom the pool can never let pass as it is: it does not exist, or has too few slots. */
export const closedPoolGate = (pool: string): string => `nopool:${pool}`;

/** All places where tasks wait for the pool. */
export const poolGates = (pool: string): string[] => [poolGate(pool), closedPoolGate(pool)];

export const usesKeys = (set: GateSet): boolean =>
  set.some((need) => (need.kind === 'key' || need.kind === 'rate') && need.key.length > 0);

/** The name is part of an index, whose entries have to be short. */
const MOST_KEY_LENGTH = 200;

function keyText(paths: readonly string[], values: RunValues | null): string {
  const text = JSON.stringify(paths.map((path) => valueAt(path, values)));
  if (text.length <= MOST_KEY_LENGTH) return text;
  return `${text.slice(0, 100)}…${createHash('sha256').update(text).digest('hex')}`;
}

function valueAt(path: string, values: RunValues | null): Json {
  let value: Json | undefined = (values ?? {}) as { [key: string]: Json };
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return null;
    value = value[name];
  }
  return value ?? null;
}

/** Pure: a task's place in line, from its priority and its weight rule. */
import type { TaskSpecBase, WeightRule } from '#sdk/dag-spec.ts';

type Weighted = Pick<TaskSpecBase, 'taskId' | 'upstream' | 'priority' | 'weightRule'>;

const INT32_MAX = 2 ** 31 - 1;

/** Per task: minus its weight, capped to 32 bits. Lower goes first. */
export function ranksOf(tasks: readonly Weighted[]): Int32Array {
  const weights = Float64Array.from(tasks, (task) => task.priority);
  const uses = (rule: WeightRule) => tasks.some((task) => task.weightRule === rule);
  if (uses('upstream') || uses('downstream')) {
    const upstreams = indexUpstreams(tasks);
    const order = topologicalOrder(upstreams);
    if (uses('upstream')) addWeights(tasks, weights, { rule: 'upstream', order, next: upstreams });
    if (uses('downstream'))
      addWeights(tasks, weights, { rule: 'downstream', order: order.reverse(), next: reversed(upstreams) });
  }
  return Int32Array.from(weights, (weight) => -Math.max(-INT32_MAX, Math.min(INT32_MAX, weight)));
}

function indexUpstreams(tasks: readonly Weighted[]): number[][] {
  const indexOf = new Map(tasks.map((task, i) => [task.taskId, i]));
  return tasks.map((task) => task.upstream.flatMap((id) => indexOf.get(id) ?? []));
}

function reversed(next: readonly (readonly number[])[]): number[][] {
  const back: number[][] = next.map(() => []);
  next.forEach((list, i) => {
    for (const other of list) back[other]?.push(i);
  });
  return back;
}

/** Upstreams first. */
function topologicalOrder(upstreams: readonly (readonly number[])[]): number[] {
  const children = reversed(upstreams);
  const open = upstreams.map((list) => list.length);
  const order = upstreams.flatMap((list, i) => (list.length === 0 ? [i] : []));
  for (let at = 0; at < order.length; at++)
    for (const child of children[order[at] ?? 0] ?? []) if (--open[child]! === 0) order.push(child);
  return order;
}

interface Walk {
  rule: WeightRule;
  /** What `next` leads to comes first. */
  order: readonly number[];
  next: readonly (readonly number[])[];
}

/** Whom a task reaches is found for 32 targets at a time, a bit each: a set per task would not fit for a large DAG. */
function addWeights(tasks: readonly Weighted[], weights: Float64Array, { rule, order, next }: Walk): void {
  const reached = new Int32Array(tasks.length);
  for (let first = 0; first < tasks.length; first += 32) {
    const block = tasks.slice(first, first + 32).map((task) => task.priority);
    const all = block.reduce((sum, priority) => sum + priority, 0);
    const everyone = block.length === 32 ? -1 : (1 << block.length) - 1;
    for (const i of order) {
      let bits = 0;
      for (const other of next[i] ?? []) {
        bits |= reached[other] ?? 0;
        if (other >= first && other < first + 32) bits |= 1 << (other - first);
      }
      reached[i] = bits;
      if (bits === 0 || tasks[i]?.weightRule !== rule) continue;
      weights[i]! += bits === everyone ? all : sumOf(bits, block);
    }
  }
}

function sumOf(bits: number, priorities: readonly number[]): number {
  let sum = 0;
  priorities.forEach((priority, bit) => {
    if (bits & (1 << bit)) sum += priority;
  });
  return sum;
}

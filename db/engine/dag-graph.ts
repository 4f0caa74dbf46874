/** Who waits for whom, in flat arrays; task order = task index. */
import type { TaskSpec } from '#sdk/dag-spec.ts';

export interface DagGraph {
  /** Task id → index. */
  indexOf: ReadonlyMap<string, number>;
  /** Children of task i: `children[offsets[i] … offsets[i + 1] - 1]`. */
  offsets: Int32Array;
  children: Int32Array;
  upstreams: readonly Int32Array[];
  childrenOf(index: number): Int32Array;
}

/** Every upstream exists. */
export function readGraph(tasks: readonly Pick<TaskSpec, 'taskId' | 'upstream'>[]): DagGraph {
  const indexOf = new Map(tasks.map((task, i) => [task.taskId, i]));
  const upstreams = tasks.map((task) => Int32Array.from(task.upstream, (id) => indexOf.get(id) ?? -1));
  const { offsets, children } = adjacency(upstreams);
  const childrenOf = (index: number) => children.subarray(offsets[index], offsets[index + 1]);
  return { indexOf, offsets, children, upstreams, childrenOf };
}

function adjacency(upstreams: readonly Int32Array[]): { offsets: Int32Array; children: Int32Array } {
  const offsets = new Int32Array(upstreams.length + 1);
  for (const list of upstreams) for (const up of list) offsets[up + 1] = (offsets[up + 1] ?? 0) + 1;
  for (let i = 1; i < offsets.length; i++) offsets[i] = (offsets[i] ?? 0) + (offsets[i - 1] ?? 0);
  const next = offsets.slice();
  const children = new Int32Array(offsets[upstreams.length] ?? 0);
  upstreams.forEach((list, child) => {
    for (const up of list) {
      const at = next[up] ?? 0;
      children[at] = child;
      next[up] = at + 1;
    }
  });
  return { offsets, children };
}

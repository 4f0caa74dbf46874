/** A DAG as lines of a tree: each task below the upstream that lies deepest, the other upstreams beside it. Pure. */

export interface TreeTask {
  taskId: string;
  upstream: readonly string[];
}

export interface TreeLine {
  taskIndex: number;
  taskId: string;
  /** `│  └─ `; empty for the tasks that wait for none. */
  guide: string;
  /** Upstreams beside the one that it stands below. */
  alsoAfter: string[];
}

/** Beyond it a line is not indented further: the names must still be seen. */
const MOST_DEPTH = 12;

/** Upstreams that are not among the tasks are left out. */
export function treeOf(all: readonly TreeTask[]): TreeLine[] {
  const indexOf = new Map(all.map((task, index) => [task.taskId, index]));
  const tasks = all.map(({ taskId, upstream }) => ({ taskId, upstream: upstream.filter((id) => indexOf.has(id)) }));
  const depths = depthsOf(tasks, indexOf);
  const parents = tasks.map((task) =>
    deepest(
      task.upstream.flatMap((id) => indexOf.get(id) ?? []),
      depths,
    ),
  );
  const children = tasks.map((): number[] => []);
  parents.forEach((parent, index) => parent !== null && children[parent]!.push(index));

  const lines: TreeLine[] = [];
  const roots = [...tasks.keys()].filter((index) => parents[index] === null);
  const stack = roots.map((index) => ({ index, guide: '', below: '' })).reverse();
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { index, guide, below } = next;
    const { taskId, upstream } = tasks[index]!;
    const parent = parents[index] ?? -1;
    lines.push({ taskIndex: index, taskId, guide, alsoAfter: upstream.filter((id) => indexOf.get(id) !== parent) });
    const own = children[index]!;
    const isDeep = depths[index]! >= MOST_DEPTH;
    for (const [at, child] of [...own.entries()].reverse()) {
      const isLast = at === own.length - 1;
      stack.push({
        index: child,
        guide: isDeep ? guide : `${below}${isLast ? '└─ ' : '├─ '}`,
        below: isDeep ? below : `${below}${isLast ? '   ' : '│  '}`,
      });
    }
  }
  return lines;
}

/** Longest way from a task without upstreams. */
function depthsOf(tasks: readonly TreeTask[], indexOf: ReadonlyMap<string, number>): number[] {
  const depths = tasks.map(() => 0);
  const waiting = tasks.map((task) => task.upstream.length);
  const downstream = tasks.map((): number[] => []);
  tasks.forEach((task, index) => {
    for (const id of task.upstream) downstream[indexOf.get(id) ?? index]!.push(index);
  });
  const ready = [...tasks.keys()].filter((index) => waiting[index] === 0);
  for (const index of ready)
    for (const child of downstream[index]!) {
      depths[child] = Math.max(depths[child]!, depths[index]! + 1);
      if (--waiting[child]! === 0) ready.push(child);
    }
  return depths;
}

const deepest = (indexes: readonly number[], depths: readonly number[]): number | null =>
  indexes.reduce<number | null>(
    (best, index) => (best === null || depths[index]! > depths[best]! ? index : best),
    null,
  );

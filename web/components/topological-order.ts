export interface TaskNode {
  taskIndex: number;
  taskId: string;
  upstream: readonly string[];
}

/** Tasks so that each stands after its upstreams; among those that could be next, the author's order holds. */
export function topologicalOrder<T extends TaskNode>(tasks: readonly T[]): T[] {
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  const ordered: T[] = [];
  const seen = new Set<string>();

  function visit(root: T): void {
    // An explicit stack: chains of thousands of tasks would overflow the call stack.
    const stack = [{ task: root, next: 0 }];
    seen.add(root.taskId);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const upstream = byId.get(top.task.upstream[top.next++] ?? '');
      if (upstream && !seen.has(upstream.taskId)) {
        seen.add(upstream.taskId);
        stack.push({ task: upstream, next: 0 });
      } else if (top.next > top.task.upstream.length) {
        ordered.push(top.task);
        stack.pop();
      }
    }
  }
  const authored = [...tasks].sort((a, b) => a.taskIndex - b.taskIndex);
  for (const task of authored) if (!seen.has(task.taskId)) visit(task);
  return ordered;
}

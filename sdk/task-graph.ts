/** What can be wrong with the edges. Indexes are those of the task list; `upstream[i]` lists the upstreams of task i. */

/** Task indexes in an order in which each comes after its upstreams; fewer than all when there are cycles. */
export function topologicalOrder(upstream: readonly (readonly number[])[]): number[] {
  const downstream: number[][] = upstream.map(() => []);
  const missing = upstream.map((indexes, task) => {
    for (const index of indexes) downstream[index]?.push(task);
    return indexes.length;
  });
  const order: number[] = [];
  missing.forEach((count, task) => count === 0 && order.push(task));
  for (let next = 0; next < order.length; next++) {
    for (const child of downstream[order[next] as number] as number[]) {
      missing[child] = (missing[child] as number) - 1;
      if (missing[child] === 0) order.push(child);
    }
  }
  return order;
}

/** Cycles that share no task, each in the direction of the flow; its last task leads back to its first. */
export function findCycles(upstream: readonly (readonly number[])[], atMost = 10): number[][] {
  const order = topologicalOrder(upstream);
  if (order.length === upstream.length) return [];
  const done = new Set(order);
  const cycles: number[][] = [];
  for (let start = 0; start < upstream.length && cycles.length < atMost; start++) {
    // Every task left over has an upstream left over, so walking up must meet the walk again.
    const walk: number[] = [];
    const place = new Map<number, number>();
    let task: number | undefined = done.has(start) ? undefined : start;
    while (task !== undefined && !place.has(task)) {
      place.set(task, walk.length);
      walk.push(task);
      task = upstream[task]?.find((index) => !done.has(index));
    }
    if (task !== undefined) cycles.push(fromSmallest(walk.slice(place.get(task)).reverse()));
    for (const visited of walk) done.add(visited);
  }
  return cycles;
}

const fromSmallest = (cycle: number[]): number[] => {
  const at = cycle.indexOf(Math.min(...cycle));
  return [...cycle.slice(at), ...cycle.slice(0, at)];
};

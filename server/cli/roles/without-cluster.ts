import type { DagSpec } from '#sdk/dag-spec.ts';
import { clusterOfQueue } from '#sdk/system-tasks.ts';

/** Pure: for people, which DAGs wait for a cluster that nobody has named; null: none. */
export function withoutCluster(
  specs: readonly Pick<DagSpec, 'dagId' | 'tasks'>[],
  clusters: readonly string[],
): string | null {
  const waiting = new Map<string, Set<string>>();
  for (const { dagId, tasks } of specs)
    for (const { queue } of tasks) {
      const cluster = clusterOfQueue(queue);
      if (cluster === null || clusters.includes(cluster)) continue;
      waiting.set(cluster, (waiting.get(cluster) ?? new Set()).add(dagId));
    }
  if (waiting.size === 0) return null;
  return [...waiting]
    .map(([cluster, dagIds]) => {
      const names = [...dagIds].sort().join(', ');
      const many = dagIds.size === 1 ? '1 DAG needs' : `${dagIds.size} DAGs need`;
      const how = `"millrace cluster add ${cluster}"${cluster === 'default' ? ', or a start with MILLRACE_KUBECONFIG=~/.kube/config' : ''}`;
      return `${many} a Kubernetes cluster "${cluster}": ${names}. Their tasks wait there until there is one: ${how}.`;
    })
    .join('\n');
}

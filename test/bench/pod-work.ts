/** What B7 gives a cluster to do. */
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';

/** Far above what is measured: the pace of a cluster is a setting, 50 requests a second unless changed. */
export const CLUSTER_LIMITS = { ...CLUSTER_DEFAULTS, qps: 5_000, burst: 5_000, parallelCreates: 64, maxPods: 5_000 };

export interface PodWork {
  dagId: string;
  tasks: number;
  image: string;
  command: string[];
}

export const podDag = ({ dagId, tasks, image, command }: PodWork) => ({
  dagId,
  maxActiveTasks: tasks,
  tasks: Array.from({ length: tasks }, (_, i) => ({
    ...{ taskId: `t${i}`, kind: 'pod', image, command, imagePullPolicy: 'IfNotPresent', terminationGrace: 1 },
  })),
});

/** What is asked of clusters themselves. The server fills it (executors/kubernetes/cluster-status.ts). */

export interface NamespaceQuota {
  name: string;
  /** Only Pods of these kinds count; empty: all. */
  scopes: string[];
  /** By resource, such as `pods` or `requests.cpu`, in the quantities of Kubernetes. */
  hard: { [resource: string]: string };
  used: { [resource: string]: string };
}

/** What one container, Pod or claim of the namespace may and will ask for of a resource; null: nothing is said. */
export interface NamespaceLimit {
  type: string;
  resource: string;
  min: string | null;
  max: string | null;
  default: string | null;
  defaultRequest: string | null;
}

export interface NamespaceStatus {
  quotas: NamespaceQuota[];
  limitRanges: { name: string; limits: NamespaceLimit[] }[];
  /** Why they could not be read; null: they were. */
  error: string | null;
}

export interface ClusterStatus {
  /** Looks at it now, and stores what that came to as its health. Ends also when it does not answer. */
  check(name: string): Promise<void>;
  /** At most some seconds old. Never rejects for what a cluster answers. */
  namespace(cluster: string, namespace: string): Promise<NamespaceStatus>;
}

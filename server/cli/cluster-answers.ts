/** What the service answers to commands of clusters. */

export interface ClusterAnswer {
  name: string;
  kind: string;
  server: string | null;
  context: string | null;
  namespaces: { name: string }[];
  paused: boolean;
  managed: boolean;
  health: {
    state: 'OK' | 'DEGRADED' | 'UNREACHABLE' | 'UNKNOWN';
    message: string | null;
    version: string | null;
    missingPermissions: string[];
    since: string;
    checkedAt: string | null;
  };
  podCounts: { waiting: number; starting: number; running: number };
}

interface Limit {
  type: string;
  resource: string;
  min: string | null;
  max: string | null;
  default: string | null;
  defaultRequest: string | null;
}

export interface ShownCluster extends ClusterAnswer {
  namespaces: {
    name: string;
    error: string | null;
    quotas: {
      name: string;
      scopes: string[];
      resources: { resource: string; hard: string; used: string; usedFraction: number | null }[];
    }[];
    limitRanges: { name: string; limits: Limit[] }[];
  }[];
  description: string | null;
  insecure: boolean;
  serviceUrl: string | null;
  runnerImage: string | null;
  qps: number;
  burst: number;
  parallelCreates: number;
  maxPods: number;
  maxPodsPerNamespace: number | null;
  podSecurity: string;
  images: string[];
  serviceAccounts: string[];
  podDefaults: unknown;
  updatedAt: string;
  updatedBy: string;
}

/** Clusters: where tasks run as Pods. */
import type { Json } from './protocol.ts';

export const CLUSTER_KINDS = ['in_cluster', 'kubeconfig', 'token'] as const;
export type ClusterKind = (typeof CLUSTER_KINDS)[number];

/** Levels of the Pod Security Standards, the strictest first. */
export const POD_SECURITY_LEVELS = ['restricted', 'baseline', 'privileged'] as const;
export type PodSecurityLevel = (typeof POD_SECURITY_LEVELS)[number];

/**
 * `degraded`: it answers, but something that tasks need is missing. `unreachable`: it does not answer, or not to us.
 * `unknown`: not looked at since it was last changed.
 */
export const CLUSTER_HEALTH_STATES = ['ok', 'degraded', 'unreachable', 'unknown'] as const;
export type ClusterHealthState = (typeof CLUSTER_HEALTH_STATES)[number];

/** Where tasks go that name no cluster. */
export const DEFAULT_CLUSTER = 'default';

/** Also a DNS label: names of clusters stand in labels of Pods. */
export const CLUSTER_NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
export const NAMESPACE_PATTERN = CLUSTER_NAME_PATTERN;

/** How a cluster is reached. Secret but for `in_cluster`. */
export type ClusterCredentials =
  | { kind: 'in_cluster' }
  | { kind: 'kubeconfig'; kubeconfig: string; context: string }
  /** `ca`: certificates in PEM; null: those that the system trusts. `insecure`: none are checked. */
  | { kind: 'token'; server: string; token: string; ca: string | null; insecure?: boolean };

export interface ClusterSettings {
  description: string | null;
  /** Where tasks may run; the first one when they name none. */
  namespaces: string[];
  /** How Pods there reach the API; null: MILLRACE_PUBLIC_URL. */
  serviceUrl: string | null;
  /** Image for tasks that bring none. */
  runnerImage: string | null;
  /** Requests per second to its API, on average and at once. */
  qps: number;
  burst: number;
  /** Pods that are created at the same time. */
  parallelCreates: number;
  /** Pods at once; more tasks wait. */
  maxPods: number;
  /** Null: no limit but `maxPods`. */
  maxPodsPerNamespace: number | null;
  podSecurity: PodSecurityLevel;
  /** Patterns of images that tasks may run, `*` for anything; empty: any. */
  images: string[];
  /** Service accounts that tasks may name; empty: any. */
  serviceAccounts: string[];
  /** A partial Pod below what DAGs and tasks say. */
  podDefaults: { [field: string]: Json } | null;
  /** No Pod is started; those that run go on. */
  paused: boolean;
}

export const CLUSTER_DEFAULTS: Omit<ClusterSettings, 'namespaces'> = {
  description: null,
  serviceUrl: null,
  runnerImage: null,
  qps: 50,
  burst: 100,
  parallelCreates: 16,
  maxPods: 1000,
  maxPodsPerNamespace: null,
  podSecurity: 'restricted',
  images: [],
  serviceAccounts: [],
  podDefaults: null,
  paused: false,
};

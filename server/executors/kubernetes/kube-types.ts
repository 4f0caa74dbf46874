/** Objects of a Kubernetes API as they travel: plain JSON, times as text. */
import type {
  CoreV1Event,
  V1ContainerStatus,
  V1LimitRangeItem,
  V1ObjectMeta,
  V1Pod,
  V1PodCondition,
} from '@kubernetes/client-node';

/** The client's classes hold `Date`s; the wire does not. */
export type Plain<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Plain<U>[]
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;

export type KubePod = Plain<V1Pod>;
export type KubeMeta = Plain<V1ObjectMeta>;
export type KubeEvent = Plain<CoreV1Event>;
export type KubeContainerStatus = Plain<V1ContainerStatus>;
export type KubePodCondition = Plain<V1PodCondition>;
export type KubeLimit = Plain<V1LimitRangeItem>;

/** Any object; what it holds beside its name is its own affair. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: KubeMeta;
  [field: string]: unknown;
}

/** Where one object lives. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  /** Of no account for kinds that belong to the cluster as a whole. */
  namespace: string;
  name: string;
}

/** One verb on one resource, as RBAC names them. */
export interface Access {
  verb: string;
  /** Empty for the core group. */
  group: string;
  resource: string;
  subresource?: string;
}

/** What a namespace allows: its ResourceQuotas with what is used, and its LimitRanges. */
import type { V1LimitRange, V1ResourceQuota } from '@kubernetes/client-node';
import type { KubeLimit, Plain } from './kube-types.ts';

export interface NamespaceQuota {
  name: string;
  /** By resource, such as `pods` or `requests.cpu`, in Kubernetes' quantities. */
  hard: { [resource: string]: string };
  used: { [resource: string]: string };
  /** Only Pods of these kinds count, such as `NotTerminating`; empty: all. */
  scopes: string[];
}

export interface NamespaceLimits {
  name: string;
  limits: KubeLimit[];
}

export const readQuota = ({ metadata, spec, status }: Plain<V1ResourceQuota>): NamespaceQuota => ({
  name: metadata?.name ?? '',
  hard: status?.hard ?? spec?.hard ?? {},
  used: status?.used ?? {},
  scopes: spec?.scopes ?? [],
});

export const readLimits = ({ metadata, spec }: Plain<V1LimitRange>): NamespaceLimits => ({
  name: metadata?.name ?? '',
  limits: spec?.limits ?? [],
});

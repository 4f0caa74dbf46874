import { parseQuantity } from '#sdk/quantity.ts';
import { builder } from '../builder.ts';
import type { NamespaceLimit, NamespaceQuota, NamespaceStatus } from '../cluster-status.ts';

interface QuotaResource {
  resource: string;
  hard: string;
  used: string;
}

const QuotaResourceType = builder.objectRef<QuotaResource>('QuotaResource').implement({
  description: 'How much of a resource a quota grants.',
  authScopes: { read: true },
  fields: (t) => ({
    resource: t.exposeString('resource', { description: 'Such as `pods` or `requests.cpu`.' }),
    hard: t.exposeString('hard', { description: 'What there is, as Kubernetes writes it (`500m`, `2Gi`).' }),
    used: t.exposeString('used', { description: 'What is taken of it.' }),
    usedFraction: t.float({
      nullable: true,
      description: 'Part of it that is taken, 1 when all is; null: not known.',
      resolve: ({ hard, used }) => fractionOf(used, hard),
    }),
  }),
});

/** Of nothing, all is taken. */
function fractionOf(used: string, hard: string): number | null {
  const [taken, there] = [parseQuantity(used), parseQuantity(hard)];
  if (taken === null || there === null) return null;
  return there > 0 ? taken / there : 1;
}

const ResourceQuotaType = builder.objectRef<NamespaceQuota>('ResourceQuota').implement({
  description: 'A ResourceQuota of a namespace: Pods that it has no room for wait.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    scopes: t.exposeStringList('scopes', {
      description: 'Only Pods of these kinds count, such as `NotTerminating`; empty: all.',
    }),
    resources: t.field({
      type: [QuotaResourceType],
      complexity: { field: 1, multiplier: 5 },
      description: 'By name.',
      resolve: ({ hard, used }) =>
        Object.entries(hard)
          .map(([resource, most]) => ({ resource, hard: most, used: used[resource] ?? '0' }))
          .sort((a, b) => (a.resource < b.resource ? -1 : 1)),
    }),
  }),
});

const ResourceLimitType = builder.objectRef<NamespaceLimit>('ResourceLimit').implement({
  description: 'What one container, Pod or volume claim may ask for.',
  authScopes: { read: true },
  fields: (t) => ({
    type: t.exposeString('type', { description: 'Of what: `Container`, `Pod` or `PersistentVolumeClaim`.' }),
    resource: t.exposeString('resource', { description: 'Such as `memory`.' }),
    min: t.exposeString('min', { nullable: true, description: 'The least.' }),
    max: t.exposeString('max', { nullable: true, description: 'The most.' }),
    default: t.exposeString('default', { nullable: true, description: 'Limit of who states none.' }),
    defaultRequest: t.exposeString('defaultRequest', { nullable: true, description: 'Request of who states none.' }),
  }),
});

const LimitRangeType = builder.objectRef<NamespaceStatus['limitRanges'][number]>('LimitRange').implement({
  description: 'A LimitRange of a namespace.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    limits: t.field({
      type: [ResourceLimitType],
      complexity: { field: 1, multiplier: 5 },
      description: 'What it says.',
      resolve: ({ limits }) => limits,
    }),
  }),
});

/** A question to the cluster; namespaces have one or two of them. */
const ASKED = { field: 20, multiplier: 2 };

export interface ClusterNamespace {
  cluster: string;
  name: string;
}

export const ClusterNamespaceType = builder.objectRef<ClusterNamespace>('ClusterNamespace').implement({
  description: 'A namespace where tasks may run. What is in it is read from the cluster when asked for.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    quotas: t.field({
      type: [ResourceQuotaType],
      complexity: ASKED,
      description: 'Its quotas, some seconds old at most; empty also when they cannot be read: see `error`.',
      resolve: async ({ cluster, name }, _args, ctx) => (await ctx.clusters.namespace(cluster, name)).quotas,
    }),
    limitRanges: t.field({
      type: [LimitRangeType],
      complexity: ASKED,
      description: 'Its LimitRanges.',
      resolve: async ({ cluster, name }, _args, ctx) => (await ctx.clusters.namespace(cluster, name)).limitRanges,
    }),
    error: t.string({
      nullable: true,
      complexity: 20,
      description: 'Why quotas and limits cannot be read; null when they can.',
      resolve: async ({ cluster, name }, _args, ctx) => (await ctx.clusters.namespace(cluster, name)).error,
    }),
  }),
});

import { countPods, type PodCounts } from '#db/queries/cluster-pods.ts';
import { findCluster, findClusters, listClusters, type ClusterRecord } from '#db/queries/clusters.ts';
import { CLUSTER_HEALTH_STATES, CLUSTER_KINDS } from '#sdk/clusters.ts';
import { builder } from '../builder.ts';
import { PodSecurityEnum } from '../cluster-input.ts';
import type { Context } from '../context.ts';
import { ClusterNamespaceType } from './cluster-namespace.ts';

const ClusterKindEnum = builder.enumType('ClusterKind', {
  description: 'How a cluster is reached.',
  values: {
    IN_CLUSTER: { value: CLUSTER_KINDS[0], description: 'The service runs in it.' },
    KUBECONFIG: { value: CLUSTER_KINDS[1], description: 'By a context of a kubeconfig.' },
    TOKEN: { value: CLUSTER_KINDS[2], description: 'By the token of a service account.' },
  } as const,
});

const ClusterHealthStateEnum = builder.enumType('ClusterHealthState', {
  description: 'How a cluster is.',
  values: {
    OK: { value: CLUSTER_HEALTH_STATES[0], description: 'Tasks can run there.' },
    DEGRADED: {
      value: CLUSTER_HEALTH_STATES[1],
      description: 'It answers, but something that tasks need is missing: see `message` and `missingPermissions`.',
    },
    UNREACHABLE: { value: CLUSTER_HEALTH_STATES[2], description: 'It does not answer, or not to us: tasks wait.' },
    UNKNOWN: { value: CLUSTER_HEALTH_STATES[3], description: 'Nobody has looked since it was last changed.' },
  } as const,
});

const ClusterHealthType = builder.objectRef<ClusterRecord>('ClusterHealth').implement({
  description: 'How a cluster was when a scheduler last looked.',
  authScopes: { read: true },
  fields: (t) => ({
    state: t.field({ type: ClusterHealthStateEnum, description: 'In a word.', resolve: ({ health }) => health }),
    message: t.exposeString('health_message', {
      nullable: true,
      description: 'What is wrong and what to do; null when it is well.',
    }),
    version: t.exposeString('version', { nullable: true, description: 'Of its API server, as last known.' }),
    missingPermissions: t.exposeStringList('missing_permissions', {
      description: 'What we may not do there and tasks need, such as `create pods in jobs`.',
    }),
    since: t.expose('health_since', { type: 'DateTime', description: 'Since when it is in this state.' }),
    checkedAt: t.expose('checked_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last written down; a healthy one is looked at more often than that.',
    }),
  }),
});

const PodCountsType = builder.objectRef<PodCounts>('PodCounts').implement({
  description: 'Tasks of a cluster, by what their Pods do.',
  authScopes: { read: true },
  fields: (t) => ({
    waiting: t.exposeInt('waiting', {
      description: 'Have no Pod yet: a limit, a quota or the cluster holds them back.',
    }),
    starting: t.exposeInt('starting', { description: 'Their Pod is asked for, and its container does not run yet.' }),
    running: t.exposeInt('running', { description: 'Their container runs.' }),
  }),
});

export const ClusterNode = builder.loadableNode('Cluster', {
  description: 'Where tasks run as Pods. Its credentials are never shown.',
  authScopes: { read: true },
  id: { resolve: (cluster: ClusterRecord) => cluster.name },
  load: async (names: string[], ctx: Context) => {
    const rows = new Map((await findClusters(ctx.db, names)).map((row) => [row.name, row]));
    return names.map((name) => rows.get(name) ?? null);
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the service; tasks name it.' }),
    kind: t.expose('kind', { type: ClusterKindEnum, description: 'How it is reached.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    server: t.exposeString('server', { nullable: true, description: 'Address of its API; null for IN_CLUSTER.' }),
    context: t.exposeString('context', { nullable: true, description: 'Of the kubeconfig.' }),
    insecure: t.exposeBoolean('insecure', { description: 'Its certificate is not checked.' }),
    namespaces: t.field({
      type: [ClusterNamespaceType],
      complexity: { field: 1, multiplier: 3 },
      description: 'Where tasks may run; the first one when they name none.',
      resolve: (cluster) => cluster.namespaces.map((name) => ({ cluster: cluster.name, name })),
    }),
    serviceUrl: t.exposeString('service_url', {
      nullable: true,
      description: 'Address under which Pods there reach this API; null: MILLRACE_PUBLIC_URL.',
    }),
    runnerImage: t.exposeString('runner_image', { nullable: true, description: 'For tasks that bring no image.' }),
    qps: t.exposeInt('qps', { description: 'Requests a second to its API, on average.' }),
    burst: t.exposeInt('burst', { description: 'Requests at once after a quiet time.' }),
    parallelCreates: t.exposeInt('parallel_creates', { description: 'Pods that are created at the same time.' }),
    maxPods: t.exposeInt('max_pods', { description: 'Pods at once; further tasks wait.' }),
    maxPodsPerNamespace: t.exposeInt('max_pods_per_namespace', {
      nullable: true,
      description: 'Pods at once in one namespace; null: no limit of its own.',
    }),
    podSecurity: t.expose('pod_security', { type: PodSecurityEnum, description: 'What Pods of tasks may do at most.' }),
    images: t.exposeStringList('images', { description: 'Patterns of images that tasks may run; empty: any.' }),
    serviceAccounts: t.exposeStringList('service_accounts', { description: 'That tasks may name; empty: any.' }),
    podDefaults: t.field({
      type: 'JSON',
      nullable: true,
      description: 'A partial Pod below what DAGs and tasks say.',
      resolve: (cluster) => cluster.pod_defaults,
    }),
    paused: t.exposeBoolean('paused', { description: 'No Pod is started there; those that run go on.' }),
    managed: t.exposeBoolean('managed', {
      description:
        'How it is reached and its namespaces are kept as the configuration of the service says: people may change the rest.',
    }),
    health: t.field({ type: ClusterHealthType, description: 'How it is.', resolve: (cluster) => cluster }),
    podCounts: t.loadable({
      type: PodCountsType,
      description: 'What goes on there now.',
      load: (names: string[], ctx: Context) => countPods(ctx.db, names),
      resolve: (cluster) => cluster.name,
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it was last changed.' }),
    updatedBy: t.exposeString('updated_by', { description: 'Who changed it.' }),
  }),
});

/** A service has a handful of them. */
const FEW = { field: 20, multiplier: 5 };

builder.queryFields((t) => ({
  clusters: t.field({
    type: [ClusterNode],
    authScopes: { read: true },
    complexity: FEW,
    description: 'All clusters, by name.',
    resolve: (_root, _args, ctx) => listClusters(ctx.db),
  }),
  cluster: t.field({
    type: ClusterNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A cluster by name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: async (_root, { name }, ctx) => (await findCluster(ctx.db, name)) ?? null,
  }),
}));

const ClusterList = builder.objectRef<{ at: Date }>('ClusterList').implement({
  description: 'The clusters as they stand.',
  authScopes: { read: true },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the server heard of the change.' }),
    clusters: t.field({
      type: [ClusterNode],
      complexity: FEW,
      description: 'All of them, by name.',
      resolve: (_list, _args, ctx) => listClusters(ctx.db),
    }),
  }),
});

builder.subscriptionField('clusterChanges', (t) =>
  t.field({
    type: ClusterList,
    authScopes: { read: true },
    description:
      'The clusters, now and each time one of them or its health has changed; while tasks run also every other second. Subscribe again at any time: each message is complete.',
    subscribe: (_root, _args, ctx) => ctx.events.clusterChanges(),
    resolve: (item) => item,
  }),
);

import type { Db } from '#db/client.ts';
import { listClusters } from '#db/queries/clusters.ts';
import { keepCluster, releaseClusters, type ManagedCluster } from '#db/queries/managed-cluster.ts';
import type { Vault } from '#db/vault.ts';
import { DEFAULT_CLUSTER } from '#sdk/clusters.ts';
import type { Config } from '../../config.ts';
import { startHealthWatch, type HealthWatch } from '../../executors/kubernetes/watch-health.ts';
import { readKubeconfigFile } from '../kubeconfig-file.ts';
import { version } from '../version.ts';
import type { Core } from './engine.ts';
import type { OnClusterRequest } from './metrics.ts';
import type { RoleContext } from './role.ts';

/** Makes the cluster known that the configuration names. */
export async function keepConfiguredCluster(
  { db, vault }: { db: Db; vault: Vault },
  { config, log }: RoleContext,
): Promise<void> {
  const cluster = configuredCluster(config);
  if (cluster) {
    const { name, access, namespaces } = cluster;
    const changed = await keepCluster(db, vault, cluster);
    const fields = { cluster: name, server: access.server, namespaces: namespaces.join(',') };
    if (changed) log.info(fields, 'the cluster is as configured');
    return;
  }
  for (const name of await releaseClusters(db, vault))
    log.info({ cluster: name }, 'the cluster is no longer kept by configuration: people may change it');
  if (config.kubernetes.hint && (await listClusters(db)).length === 0)
    log.info('KUBECONFIG is set: to run tasks as Pods there, start with MILLRACE_KUBECONFIG="$KUBECONFIG"');
}

function configuredCluster({ kubernetes }: Config): ManagedCluster | null {
  const { kubeconfig, context, namespaces, inCluster } = kubernetes;
  const name = DEFAULT_CLUSTER;
  if (inCluster) {
    const access = { credentials: { kind: 'in_cluster' as const }, server: null, insecure: false };
    return { name, access, namespaces: namespaces ?? ['default'] };
  }
  if (!kubeconfig) return null;
  const read = readKubeconfigFile(kubeconfig, context);
  const { server, insecure } = read;
  return {
    name,
    access: {
      credentials: { kind: 'kubeconfig', kubeconfig: read.kubeconfig, context: read.context },
      server,
      insecure,
    },
    namespaces: namespaces ?? [read.namespace ?? 'default'],
  };
}

/** The part of the scheduler that looks after clusters. */
export function openHealthWatch(
  { db, vault, listener }: Core,
  { log, shutdown }: RoleContext,
  onRequest: OnClusterRequest,
): HealthWatch {
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'a look at a cluster failed');
  const watch = startHealthWatch({ db, vault, listener, log, version: version(), onRequest, onError });
  shutdown.add('cluster health', () => watch.stop());
  return watch;
}

import { KubeConfig } from '@kubernetes/client-node';
import type { ClusterCredentials } from '#sdk/clusters.ts';
import { openBreakableLine } from './breakable-line.ts';
import type { TestCluster } from './cluster.ts';

/** A cluster whose API can be out of reach. Its certificate is for another address, so it is not looked at. */
export async function breakableLineTo({ kubeconfig }: TestCluster) {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  const cluster = config.getCurrentCluster()!;
  const line = await openBreakableLine(cluster.server);
  const server = line.url.replace(/^http:/, 'https:');
  const { caData: _, ...rest } = cluster;
  const far = new KubeConfig();
  far.loadFromClusterAndUser({ ...rest, server, skipTLSVerify: true }, config.getCurrentUser()!);
  const credentials: ClusterCredentials = {
    kind: 'kubeconfig',
    kubeconfig: far.exportConfig(),
    context: 'loaded-context',
  };
  return { ...line, credentials };
}

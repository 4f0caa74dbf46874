/** A launcher and the service that its Pods speak to, on a real cluster. */
import type { ClusterCredentials, ClusterSettings } from '#sdk/clusters.ts';
import { startTestApp } from './app.ts';
import type { TestCluster } from './cluster.ts';
import type { TestDatabase } from './database.ts';
import { createLaunching } from './launching.ts';
import { hasMillraceImage, millraceImage } from './millrace-image.ts';

/** Where Pods find this machine. */
export const TEST_HOST = process.env['MILLRACE_TEST_HOST_ADDRESS'] ?? '198.51.100.1';

/** The image that Pods of tests run; one that does not exist where there is none. */
export async function imageOf({ core }: TestCluster): Promise<string> {
  if (!hasMillraceImage()) return 'none';
  return millraceImage((await core.readNamespace({ name: 'kube-system' })).metadata!.uid!);
}

export type LaunchingService = Awaited<ReturnType<typeof launchingWithService>>;

/** No launcher runs yet. The cluster `default` has all that tasks with code need. */
export async function launchingWithService(database: TestDatabase, cluster: TestCluster) {
  const app = await startTestApp(database, { host: '0.0.0.0' });
  const launching = await createLaunching(database);
  const { kubeconfig, namespace } = cluster;
  const credentials: ClusterCredentials = { kind: 'kubeconfig', kubeconfig, context: 'loaded-context' };
  const runnerImage = await imageOf(cluster);
  /** Another name for the same cluster. */
  const addCluster = (name: string, settings: Partial<ClusterSettings>) =>
    launching.addCluster(name, credentials, { namespaces: [namespace], ...settings });
  await addCluster('default', { runnerImage, serviceUrl: `http://${TEST_HOST}:${new URL(app.url()).port}` });
  return {
    launching,
    runnerImage,
    addCluster,
    async stop(): Promise<void> {
      await launching.stop();
      await app.stop();
    },
  };
}

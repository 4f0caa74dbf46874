/** Tests on a real Kubernetes: whichever `KUBECONFIG` points to, in namespaces of their own that go away afterwards. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, vi } from 'vitest';
import { createClusterClient, type ClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import type { ClusterCredentials } from '#server/executors/kubernetes/credentials.ts';
import type { KubeObject, KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { REQUIRED_PERMISSIONS, resourceName } from '#server/executors/kubernetes/permissions.ts';
import { waitFor } from './wait-for.ts';

// Nodes are slow at times
vi.setConfig({ testTimeout: 240_000 });

/** A kubelet whose containers went while it looked looks at the Pod again only with its next sync: a minute or more. */
export const GONE_MS = 180_000;

const WITHOUT_CLUSTER = 'KUBECONFIG is not set: tests on a real cluster are skipped. See "cluster tests" in .ci/run.';

/** The image of most test Pods: what the nodes have, or what any cluster can pull. */
const LOCAL_BUSYBOX = 'localhost/busybox:dev';
const PUBLIC_BUSYBOX = 'busybox:1.36';

export const randomName = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

/** As `kubectl config view --raw --flatten --minify`: stands alone, with no file beside it. */
function flatKubeconfig(config: KubeConfig): string {
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (!cluster || !user) throw new Error('KUBECONFIG has no current context.');
  const inline = (file: string | undefined) => (file ? readFileSync(file).toString('base64') : undefined);
  const flat = new KubeConfig();
  flat.loadFromClusterAndUser(
    { ...cluster, caData: cluster.caData ?? inline(cluster.caFile), caFile: undefined },
    {
      ...user,
      certData: user.certData ?? inline(user.certFile),
      keyData: user.keyData ?? inline(user.keyFile),
      certFile: undefined,
      keyFile: undefined,
    },
  );
  return flat.exportConfig();
}

async function busyboxOf(core: CoreV1Api): Promise<string> {
  const { items } = await core.listNode();
  const names = items.flatMap((node) => node.status?.images?.flatMap((image) => image.names ?? []) ?? []);
  return names.includes(LOCAL_BUSYBOX) ? LOCAL_BUSYBOX : PUBLIC_BUSYBOX;
}

/** A restricted user with a namespace of its own: what a second cluster looks like from here. */
export interface SecondUser {
  namespace: string;
  kubeconfig: string;
  context: string;
  credentials: ClusterCredentials & { kind: 'token' };
}

export type TestCluster = Awaited<ReturnType<typeof openTestCluster>>;

/** Made by hand only where `describeCluster` does not fit; `close` removes its namespaces. */
export async function openTestCluster() {
  const config = new KubeConfig();
  config.loadFromDefault();
  const kubeconfig = flatKubeconfig(config);
  const core = config.makeApiClient(CoreV1Api);
  const credentials: ClusterCredentials = { kind: 'kubeconfig', kubeconfig, context: null };
  const client: ClusterClient = createClusterClient({
    name: 'test',
    credentials,
    limits: { qps: 100, burst: 100, parallelCreates: 10 },
    userAgent: 'millrace-tests',
  });
  const image = await busyboxOf(core);
  const namespaces: string[] = [];

  /** Ready for Pods: its service account is there. */
  async function createNamespace(prefix = 'millrace-test'): Promise<string> {
    const name = randomName(prefix);
    await core.createNamespace({ body: { metadata: { name, labels: { 'millrace.dev/test': 'true' } } } });
    namespaces.push(name);
    await waitFor(() => core.readNamespacedServiceAccount({ name: 'default', namespace: name }), {
      what: `the service account of ${name}`,
      timeoutMs: 30_000,
    });
    return name;
  }
  const namespace = await createNamespace();

  async function apply(object: KubeObject, where = namespace): Promise<KubeObject> {
    const answer = await client.createObject(object, where);
    if (answer.kind !== 'created') throw new Error(`${object.kind} was not created: ${JSON.stringify(answer)}`);
    return answer.object;
  }

  /** A token of a new service account that may do in `where` what `rules` say. */
  async function createUser(rules: object[], where: string): Promise<SecondUser> {
    const name = randomName('user');
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } };
    await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } }, where);
    await apply({ ...rbac, kind: 'Role', rules }, where);
    const subjects = [{ kind: 'ServiceAccount', name, namespace: where }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    await apply({ ...rbac, kind: 'RoleBinding', subjects, roleRef }, where);
    const body = { spec: { audiences: [], expirationSeconds: 3600 } };
    const { status } = await core.createNamespacedServiceAccountToken({ name, namespace: where, body });
    const { server = '', caData = '', skipTLSVerify = false } = config.getCurrentCluster() ?? {};
    const second = new KubeConfig();
    second.loadFromString(kubeconfig);
    second.clusters = second.clusters.map((cluster) => ({ ...cluster, name: 'second' }));
    second.users = [{ name, token: status!.token }];
    second.contexts = [{ name: 'second', cluster: 'second', user: name }];
    second.currentContext = 'second';
    return {
      namespace: where,
      context: 'second',
      kubeconfig: second.exportConfig(),
      credentials: {
        kind: 'token',
        server,
        token: status!.token,
        ca: caData ? Buffer.from(caData, 'base64').toString() : null,
        insecure: skipTLSVerify,
      },
    };
  }

  /** The rules of a Role that grants just what Millrace asks for. */
  const ownRules = () =>
    REQUIRED_PERMISSIONS.map((access) => ({
      apiGroups: [access.group],
      resources: [resourceName(access)],
      verbs: [access.verb],
    }));

  return {
    /** Admin of the cluster. */
    client,
    core,
    custom: config.makeApiClient(CustomObjectsApi),
    credentials,
    /** Of the admin, flat; its only context is the current one. */
    kubeconfig,
    namespace,
    image,
    createNamespace,
    /** Creates any object or throws. */
    apply,
    createUser,
    /** Resolves when it counts: until the cluster has looked at it for the first time, some API servers let Pods pass. */
    async createQuota(where: string, name: string, hard: { [resource: string]: string }): Promise<void> {
      await apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name }, spec: { hard } }, where);
      const counts = async () => Object.keys((await client.quotas(where))[0]?.used ?? {}).length > 0;
      await waitFor(counts, { timeoutMs: 30_000, what: `quota ${name} to count` });
    },
    /** What a second cluster looks like from here: another namespace, another user, just the permissions Millrace asks for. */
    async secondCluster(): Promise<SecondUser> {
      return createUser(ownRules(), await createNamespace());
    },

    /** A Pod with one container `base`; `command` goes to a shell. */
    pod(command: string, more: { name?: string; container?: object; spec?: object; metadata?: object } = {}): KubePod {
      return {
        metadata: { name: more.name ?? randomName('pod'), ...more.metadata },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [
            { name: 'base', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', command], ...more.container },
          ],
          ...more.spec,
        },
      };
    },
    /** Creates it or throws. */
    async run(body: KubePod, where = namespace): Promise<KubePod> {
      const answer = await client.createPod(where, body);
      if (answer.kind !== 'created') throw new Error(`The Pod was not created: ${JSON.stringify(answer)}`);
      return answer.object;
    },
    /** The Pod as soon as `is` holds for it; null stands for a Pod that is gone. */
    async waitForPod(
      name: string,
      is: (pod: KubePod) => boolean,
      { where = namespace, timeoutMs = 60_000, what = `Pod ${name}` } = {},
    ): Promise<KubePod> {
      let last: KubePod | null = null;
      const found = await waitFor(
        async () => {
          last = await client.getPod(where, name);
          return last && is(last) ? last : null;
        },
        { timeoutMs, what },
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}; status: ${JSON.stringify(last?.status)}`, { cause: error });
      });
      return found;
    },

    /** The namespaces go in the background. */
    async close(): Promise<void> {
      for (const name of namespaces)
        await core.deleteNamespace({ name, body: { gracePeriodSeconds: 0, propagationPolicy: 'Background' } });
      client.close();
    },
  };
}

/** `describe` with a cluster and a fresh namespace in it; skipped with a word when there is none. */
export function describeCluster(name: string, define: (cluster: () => TestCluster) => void): void {
  if (!process.env['KUBECONFIG']) {
    console.warn(WITHOUT_CLUSTER);
    describe.skip(`${name} (${WITHOUT_CLUSTER})`, () => define(() => undefined as never));
    return;
  }
  describe(name, () => {
    let cluster: TestCluster | undefined;
    beforeAll(async () => {
      cluster = await openTestCluster();
    });
    afterAll(() => cluster?.close());
    define(() => cluster!);
  });
}

export const hasEnded = (pod: KubePod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

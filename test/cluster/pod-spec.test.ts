/** What is built here is what a real API server takes: tried without keeping anything (`dryRun`), and once for real. */
import { CoreV1Api, BatchV1Api, KubeConfig } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import type { V1Job } from '@kubernetes/client-node';
import { buildPod } from '#server/executors/kubernetes/pod-spec.ts';
import { buildResource } from '#server/executors/kubernetes/resource-spec.ts';
import { describeCluster, hasEnded } from '../helpers/cluster.ts';
import { podInput } from '../server/executors/kubernetes/pod-input.ts';

type Given = NonNullable<Parameters<typeof podInput>[0]>;

const apiOf = <T extends typeof CoreV1Api | typeof BatchV1Api>(api: T) => {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config.makeApiClient(api as typeof CoreV1Api) as unknown as InstanceType<T>;
};

describeCluster('built Pods', (cluster) => {
  const built = (given: Given) => {
    const result = buildPod(podInput({ ...given, cluster: { namespaces: [cluster().namespace], ...given.cluster } }));
    if ('refused' in result) throw new Error(JSON.stringify(result.refused));
    return result.pod;
  };

  it.each<[string, Given]>([
    ['an image alone', {}],
    ['the runner of a task with code', { runner: { url: 'https://millrace.example' }, task: { image: null } }],
    [
      'all fields',
      {
        limits: { executionTimeout: 60, memoryLimit: 2 ** 27 },
        task: {
          command: ['sh', '-c'],
          args: ['true'],
          env: { A: 'x', B: { secret: 's', key: 'k', optional: true }, D: { field: 'status.podIP' } },
          envFrom: [{ secret: null, configMap: 'c', prefix: 'C_', optional: true }],
          ports: [{ containerPort: 80 }],
          volumes: [
            { name: 'v', emptyDir: { sizeLimit: '1Mi' } },
            { name: 'p', projected: { sources: [{ configMap: { name: 'c', optional: true } }] } },
          ],
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
          resources: { requests: { cpu: '10m' }, limits: { cpu: '1' } },
          nodeSelector: { disk: 'ssd' },
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 1, preference: { matchExpressions: [{ key: 'zone', operator: 'Exists' }] } },
              ],
            },
          },
          tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }],
          imagePullSecrets: ['registry'],
          labels: { team: 'x' },
          annotations: { note: 'y' },
          securityContext: { readOnlyRootFilesystem: true },
          initContainers: [{ name: 'first', image: 'busybox', command: ['true'] }],
          sidecars: [{ name: 'proxy', image: 'envoy' }],
          hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
          dnsPolicy: 'None',
          dnsConfig: { nameservers: ['1.1.1.1'] },
          result: { file: '/v/result.json', collect: false },
        },
      },
    ],
  ])('are taken by the API server: %s', async (_what, given) => {
    const { namespace } = cluster();
    const body = built(given);
    const created = await apiOf(CoreV1Api).createNamespacedPod({ namespace, body, dryRun: 'All' });
    expect(created.metadata?.labels).toMatchObject({ 'millrace.dev/task': 'load' });
    expect(created.spec?.containers[0]?.name).toBe('base');
  });

  it('run as nobody in particular, and write their result', async () => {
    const { namespace, client, waitForPod, image } = cluster();
    const pod = built({
      task: {
        image,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'id -u > /dev/termination-log; touch /v/x; exit 0'],
        volumes: [{ name: 'v', emptyDir: {} }],
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        result: 'termination',
      },
    });
    await client.createPod(namespace, pod as never);
    const ended = await waitForPod(pod.metadata!.name!, hasEnded);
    expect(ended.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 0, message: '10001\n' });
  });

  it('are taken inside a Job', async () => {
    const { namespace } = cluster();
    const spec = { template: { spec: { containers: [{ name: 'main', image: 'perl' }] } } };
    const result = buildResource({
      ...podInput({ cluster: { namespaces: [namespace] } }),
      task: {
        manifest: { apiVersion: 'batch/v1', kind: 'Job', spec },
        namespace: null,
        logs: null,
        onFinish: 'delete',
      },
    });
    if ('refused' in result) throw new Error(JSON.stringify(result.refused));
    const body = result.object as V1Job;
    const created = await apiOf(BatchV1Api).createNamespacedJob({ namespace, body, dryRun: 'All' });
    expect(created.spec?.template.spec?.securityContext?.runAsUser).toBe(10_001);
  });
});

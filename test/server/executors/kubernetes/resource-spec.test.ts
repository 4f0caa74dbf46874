import { describe, expect, test } from 'vitest';
import type { Json } from '#sdk/protocol.ts';
import { buildResource, type ResourceInput } from '#server/executors/kubernetes/resource-spec.ts';
import { podInput } from './pod-input.ts';

type Given = {
  manifest: object;
  logs?: string;
  namespace?: string;
  admin?: boolean;
  cluster?: Partial<ResourceInput['cluster']>;
};
function build({ manifest, logs, namespace, admin = false, cluster }: Given) {
  const { dispatch, installation, cluster: known } = podInput({ cluster });
  const task = {
    manifest: manifest as { [field: string]: Json },
    namespace: namespace ?? null,
    logs: logs ?? null,
    onFinish: 'keep' as const,
  };
  return buildResource({ dispatch, installation, cluster: known, authorIsAdmin: admin, task });
}
const refusedPaths = (given: Given) => {
  const result = build(given);
  return 'refused' in result ? result.refused.map(({ path }) => path) : [];
};
const job = (pod: object, more: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'pi' },
  spec: { template: { spec: { containers: [{ name: 'main', image: 'perl' }], ...pod } }, ...more },
});

test('a Job gets the name of its dispatch, labels, and Pods that the restricted level lets pass', () => {
  expect(build({ manifest: job({}, { backoffLimit: '3', suspend: 'False' }) })).toEqual({
    logs: 'job-name=pi-alybculddxzm673h',
    object: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: 'pi-alybculddxzm673h',
        namespace: 'tasks',
        labels: expect.objectContaining({ 'millrace.dev/task': 'load' }),
        annotations: {
          'millrace.dev/dispatch-id': '7.3.-1.0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001',
          'millrace.dev/on-finish': 'keep',
        },
      },
      spec: {
        backoffLimit: 3,
        suspend: false,
        template: {
          spec: {
            restartPolicy: 'Never',
            automountServiceAccountToken: false,
            securityContext: expect.objectContaining({ runAsNonRoot: true }),
            containers: [
              {
                name: 'main',
                image: 'perl',
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              },
            ],
          },
        },
      },
    },
  });
});

test('no label of ours but our own', () => {
  const labels = { 'millrace.dev/dispatch': 'another', 'millrace.dev/map-index': '3', team: 'x' };
  const spec = { template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'perl' }] } } };
  const result = build({ manifest: { apiVersion: 'batch/v1', kind: 'Job', metadata: { labels }, spec } });
  if ('refused' in result) throw new Error(JSON.stringify(result.refused));
  expect(result.object.metadata?.labels).toMatchObject({ team: 'x', 'millrace.dev/dag': 'etl' });
  expect(result.object.metadata?.labels).not.toHaveProperty(['millrace.dev/map-index']);
  expect(result.object['spec']).toMatchObject({ template: { metadata: { labels: { team: 'x' } } } });
  expect(JSON.stringify(result.object['spec'])).not.toContain('millrace.dev');
});

test('a custom resource stays as it is but for its name and labels', () => {
  const manifest = {
    apiVersion: 'sparkoperator.k8s.io/v1beta2',
    kind: 'SparkApplication',
    metadata: { generateName: 'spark-', namespace: 'more' },
    spec: { executor: { instances: 2, cores: '2' } },
  };
  expect(build({ manifest })).toMatchObject({
    logs: 'sparkoperator.k8s.io/app-name=spark-alybculddxzm673h,spark-role=driver',
    object: { metadata: { name: 'spark-alybculddxzm673h', namespace: 'more' }, spec: manifest.spec },
  });
  expect(build({ manifest, logs: 'a=b', namespace: 'tasks' })).toMatchObject({
    logs: 'a=b',
    object: { metadata: { namespace: 'tasks' } },
  });
});

describe('refused with the path', () => {
  test.each([
    ['an unknown field', job({}, { paralelism: 1 }), 'spec.paralelism'],
    ['another type', job({}, { parallelism: 'many' }), 'spec.parallelism'],
    ['the network of the node', job({ hostNetwork: true }), 'spec.template.spec.hostNetwork'],
    ['root', job({ securityContext: { runAsUser: 0 } }), 'spec.template.spec.securityContext.runAsUser'],
    ['an unknown field of its metadata', { apiVersion: 'x.y/v1', kind: 'Z', metadata: { nam: 'x' } }, 'metadata.nam'],
    [
      'files of the node in a custom resource',
      { apiVersion: 'x.y/v1', kind: 'Z', spec: { a: [{ volumes: [{ hostPath: { path: '/' } }] }] } },
      'spec.a[0].volumes[0].hostPath',
    ],
    [
      'a privileged container in one',
      { apiVersion: 'x.y/v1', kind: 'Z', spec: { sc: { privileged: true } } },
      'spec.sc.privileged',
    ],
  ])('%s', (_what, manifest, path) => expect(refusedPaths({ manifest, admin: true })).toContain(path));

  test.each([
    [
      'roles',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        roleRef: { apiGroup: 'a', kind: 'b', name: 'c' },
      },
      'kind',
    ],
    ['secrets', { apiVersion: 'v1', kind: 'Secret' }, 'kind'],
    ['what stays', { apiVersion: 'apps/v1', kind: 'ReplicaSet' }, 'kind'],
    ['a node', job({ nodeName: 'n' }), 'spec.template.spec.nodeName'],
    [
      'what holds up its end',
      { apiVersion: 'x.y/v1', kind: 'Z', metadata: { finalizers: ['f'] } },
      'metadata.finalizers[0]',
    ],
  ])('of an author: %s', (_what, manifest, path) => {
    expect(refusedPaths({ manifest })).toEqual([path]);
    expect(refusedPaths({ manifest, admin: true })).toEqual([]);
  });

  test('another namespace, and images of another registry', () => {
    expect(refusedPaths({ manifest: job({}), namespace: 'kube-system' })).toEqual(['metadata.namespace']);
    expect(refusedPaths({ manifest: job({}), cluster: { images: ['r/*'] } })).toEqual([
      'spec.template.spec.containers[0].image',
    ]);
  });
});

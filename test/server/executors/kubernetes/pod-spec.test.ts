import { describe, expect, test } from 'vitest';
import { built, HARDENED, PLAIN_SPEC, podInput, refusedPaths } from './pod-input.ts';

test('a task with an image alone gets a Pod that the restricted level lets pass', () => {
  expect(built(podInput({ task: { command: ['python', '-c', 'print(1)'] } }))).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'etl-load-alybculddxzm673h',
      namespace: 'tasks',
      labels: {
        'app.kubernetes.io/managed-by': 'millrace',
        'millrace.dev/installation': 'f00',
        'millrace.dev/dispatch': '0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001',
        'millrace.dev/dag': 'etl',
        'millrace.dev/task': 'load',
        'millrace.dev/run': 'scheduled__2026-01-02',
        'millrace.dev/try': '2',
      },
      annotations: {
        'millrace.dev/dispatch-id': '7.3.-1.0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001',
        'millrace.dev/on-finish': 'delete',
      },
    },
    spec: {
      ...PLAIN_SPEC,
      containers: [
        {
          name: 'base',
          image: 'python:3.8',
          command: ['python', '-c', 'print(1)'],
          terminationMessagePolicy: 'FallbackToLogsOnError',
          securityContext: HARDENED,
        },
      ],
    },
  });
});

test('every field of a task has its place in the Pod', () => {
  const pod = built(
    podInput({
      task: {
        name: 'Nightly load!',
        namespace: 'more',
        args: [],
        env: {
          A: 'x',
          B: { secret: 's', key: 'k', optional: true },
          C: { configMap: 'c', key: 'k', optional: false },
          D: { field: 'status.podIP' },
          E: { resource: 'limits.memory' },
        },
        envFrom: [
          { secret: 's', configMap: null, prefix: 'S_', optional: false },
          { secret: null, configMap: 'c', prefix: null, optional: true },
        ],
        ports: [{ containerPort: 80 }],
        volumes: [{ name: 'v', emptyDir: {} }],
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
        nodeSelector: { disk: 'ssd' },
        affinity: { nodeAffinity: {} },
        tolerations: [{ key: 'gpu', operator: 'Exists' }],
        serviceAccount: 'loader',
        imagePullSecrets: ['registry'],
        imagePullPolicy: 'Never',
        priorityClass: 'high',
        schedulerName: 'volcano',
        labels: { team: 'x', 'millrace.dev/dag': 'another' },
        annotations: { note: 'y' },
        securityContext: { readOnlyRootFilesystem: true },
        podSecurityContext: { runAsUser: 2000 },
        initContainers: [{ name: 'first', image: 'busybox' }],
        sidecars: [{ name: 'proxy', image: 'envoy' }],
        hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['1.1.1.1'] },
        runtimeClass: 'gvisor',
        terminationGrace: 5.5,
        result: { file: '/tmp/result.json', collect: false },
      },
      limits: { executionTimeout: 100, memoryLimit: 1000 },
    }),
  );
  expect(pod.metadata?.name).toBe('nightly-load-alybculddxzm673h');
  expect(pod.metadata?.namespace).toBe('more');
  expect(pod.metadata?.labels).toMatchObject({ team: 'x', 'millrace.dev/dag': 'etl' });
  expect(pod.metadata?.annotations).toMatchObject({ note: 'y' });
  expect(pod.spec).toEqual({
    restartPolicy: 'Never',
    enableServiceLinks: false,
    activeDeadlineSeconds: 766,
    nodeSelector: { disk: 'ssd' },
    affinity: { nodeAffinity: {} },
    tolerations: [{ key: 'gpu', operator: 'Exists' }],
    serviceAccountName: 'loader',
    imagePullSecrets: [{ name: 'registry' }],
    priorityClassName: 'high',
    schedulerName: 'volcano',
    hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['1.1.1.1'] },
    runtimeClassName: 'gvisor',
    terminationGracePeriodSeconds: 6,
    volumes: [{ name: 'v', emptyDir: {} }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 2000,
      fsGroup: 2000,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    initContainers: [{ name: 'first', image: 'busybox', securityContext: HARDENED }],
    containers: [
      {
        name: 'base',
        image: 'python:3.8',
        imagePullPolicy: 'Never',
        args: [],
        env: [
          { name: 'A', value: 'x' },
          { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
          { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
          { name: 'D', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'E', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
        ],
        envFrom: [{ prefix: 'S_', secretRef: { name: 's' } }, { configMapRef: { name: 'c', optional: true } }],
        ports: [{ containerPort: 80 }],
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
        securityContext: { ...HARDENED, readOnlyRootFilesystem: true },
        terminationMessagePath: '/tmp/result.json',
        terminationMessagePolicy: 'File',
      },
      { name: 'proxy', image: 'envoy', securityContext: HARDENED },
    ],
  });
});

test('the cluster is overwritten by the template, that by the fields, and all by what must be so', () => {
  const pod = built(
    podInput({
      cluster: {
        pod_defaults: {
          metadata: { labels: { a: 'cluster', b: 'cluster' } },
          spec: {
            nodeSelector: { pool: 'small', zone: 'x' },
            tolerations: [{ key: 'one' }],
            restartPolicy: 'Always',
            containers: [
              {
                name: 'base',
                env: [
                  { name: 'A', value: 'cluster' },
                  { name: 'B', value: 'cluster' },
                ],
              },
            ],
          },
        },
      },
      task: {
        env: { A: 'task' },
        nodeSelector: { pool: 'large' },
        labels: { a: 'task' },
        template: {
          spec: {
            nodeSelector: { pool: 'medium', arch: 'arm64' },
            tolerations: [{ key: 'two' }],
            containers: [
              { name: 'side', image: 'other' },
              { name: 'base', image: 'overwritten', env: [{ name: 'B', value: 'template' }], workingDir: '/w' },
            ],
          },
        },
      },
    }),
  );
  expect(pod.metadata?.labels).toMatchObject({ a: 'task', b: 'cluster' });
  expect(pod.spec).toMatchObject({
    restartPolicy: 'Never',
    nodeSelector: { pool: 'large', zone: 'x', arch: 'arm64' },
    tolerations: [{ key: 'one' }, { key: 'two' }],
    containers: [
      {
        name: 'base',
        image: 'python:3.8',
        workingDir: '/w',
        env: [
          { name: 'A', value: 'task' },
          { name: 'B', value: 'template' },
        ],
      },
      { name: 'side', image: 'other' },
    ],
  });
});

test('null in a template takes away what the cluster presets', () => {
  const pod = built(
    podInput({
      cluster: { pod_defaults: { spec: { nodeSelector: { pool: 'small' } } } },
      task: { template: { spec: { nodeSelector: null as never } } },
    }),
  );
  expect(pod.spec).not.toHaveProperty('nodeSelector');
});

test('the Pod of a task with code runs millrace with a token of its own', () => {
  const pod = built(
    podInput({
      runner: { url: 'https://millrace.example' },
      task: {
        image: null,
        env: { MILLRACE_URL: 'https://elsewhere', KEEP: '1' },
        template: { spec: { containers: [{ name: 'base', command: ['sh'], args: ['-c', 'x'] }] } },
      },
      limits: { executionTimeout: null, memoryLimit: 2 ** 29 },
    }),
  );
  expect(pod.spec?.containers[0]).toMatchObject({
    image: 'millrace/runner:1',
    command: ['millrace', 'run-task'],
    env: [
      { name: 'MILLRACE_URL', value: 'https://millrace.example' },
      { name: 'KEEP', value: '1' },
      { name: 'MILLRACE_DISPATCH_ID', value: '7.3.-1.0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001' },
      { name: 'MILLRACE_CLUSTER', value: 'default' },
      { name: 'MILLRACE_SHUTDOWN_SECONDS', value: '30' },
    ],
    resources: { limits: { memory: '536870912' } },
    volumeMounts: [{ name: 'millrace-token', mountPath: '/var/run/secrets/millrace', readOnly: true }],
  });
  expect(pod.spec?.containers[0]).not.toHaveProperty('args');
  expect(pod.spec?.volumes).toEqual([
    {
      name: 'millrace-token',
      projected: {
        sources: [{ serviceAccountToken: { audience: 'millrace', expirationSeconds: 3600, path: 'token' } }],
      },
    },
  ]);
});

test('without any image the Pod is refused', () => {
  const cluster = { runner_image: null };
  expect(refusedPaths(podInput({ runner: { url: 'x' }, task: { image: null }, cluster }))).toEqual([
    'spec.containers[0].image',
  ]);
});

describe('refused with the path', () => {
  const spec = (template: object) => podInput({ authorIsAdmin: true, task: { template: { spec: template } } });
  const base = (container: object) => spec({ containers: [{ name: 'base', ...container }] });
  test.each([
    ['an unknown field', spec({ hostnetwork: true }), 'spec.hostnetwork'],
    ['another type', base({ env: 'x' }), 'spec.containers[0].env'],
    ['the network of the node', spec({ hostNetwork: true }), 'spec.hostNetwork'],
    ['files of the node', spec({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), 'spec.volumes[0].hostPath'],
    ['a volume of another kind', spec({ volumes: [{ name: 'v', nfs: {} }] }), 'spec.volumes[0].nfs.path'],
    [
      'a privileged container',
      base({ securityContext: { privileged: true } }),
      'spec.containers[0].securityContext.privileged',
    ],
    ['root', base({ securityContext: { runAsUser: 0 } }), 'spec.containers[0].securityContext.runAsUser'],
    ['root for all', spec({ securityContext: { runAsUser: 0 } }), 'spec.securityContext.runAsUser'],
    ['perhaps root', spec({ securityContext: { runAsNonRoot: false } }), 'spec.securityContext.runAsNonRoot'],
    [
      'a capability',
      base({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }),
      'spec.containers[0].securityContext.capabilities.add[0]',
    ],
    [
      'a capability kept',
      base({ securityContext: { capabilities: { drop: ['KILL'] } } }),
      'spec.containers[0].securityContext.capabilities.drop',
    ],
    [
      'escalation',
      base({ securityContext: { allowPrivilegeEscalation: true } }),
      'spec.containers[0].securityContext.allowPrivilegeEscalation',
    ],
    [
      'no seccomp',
      spec({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
      'spec.securityContext.seccompProfile.type',
    ],
    [
      'a port of the node',
      base({ ports: [{ containerPort: 1, hostPort: 1 }] }),
      'spec.containers[0].ports[0].hostPort',
    ],
    [
      'a probe elsewhere',
      base({ livenessProbe: { httpGet: { port: 1, host: '169.254.169.254' } } }),
      'spec.containers[0].livenessProbe.httpGet.host',
    ],
    [
      'a sysctl',
      spec({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
      'spec.securityContext.sysctls[0].name',
    ],
    ['a container without an image', spec({ initContainers: [{ name: 'i' }] }), 'spec.initContainers[0].image'],
  ])('%s', (_what, input, path) => expect(refusedPaths(input)).toContain(path));

  test.each([
    ['another namespace', podInput({ task: { namespace: 'kube-system' } }), 'metadata.namespace'],
    ['another image', podInput({ cluster: { images: ['registry.example/*'] } }), 'spec.containers[0].image'],
    [
      'another service account',
      podInput({ task: { serviceAccount: 'root' }, cluster: { service_accounts: ['tasks'] } }),
      'spec.serviceAccountName',
    ],
    [
      'another service account by its old name',
      podInput({ task: { template: { spec: { serviceAccount: 'root' } } }, cluster: { service_accounts: ['tasks'] } }),
      'spec.serviceAccountName',
    ],
  ])('of the cluster: %s', (_what, input, path) => expect(refusedPaths(input)).toEqual([path]));

  const byAuthor = (template: object, more: object = {}) =>
    podInput({ task: { template: { spec: template } }, ...more });
  test.each([
    ['a node', byAuthor({ nodeName: 'n1' }), 'spec.nodeName'],
    ['an owner', podInput({ task: { template: { metadata: { finalizers: ['x'] } } } }), 'metadata.finalizers[0]'],
    ['a priority of the system', byAuthor({ priorityClassName: 'system-node-critical' }), 'spec.priorityClassName'],
    ['a CSI volume', byAuthor({ volumes: [{ name: 'v', csi: { driver: 'd' } }] }), 'spec.volumes[0].csi'],
    [
      'a token of a service account',
      byAuthor({ volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
      'spec.volumes[0].projected.sources[0].serviceAccountToken',
    ],
    [
      'the token of a service account that is not named',
      byAuthor({ automountServiceAccountToken: true }),
      'spec.automountServiceAccountToken',
    ],
    [
      'shared mounts',
      byAuthor({
        containers: [
          { name: 'base', volumeMounts: [{ name: 'v', mountPath: '/v', mountPropagation: 'HostToContainer' }] },
        ],
      }),
      'spec.containers[0].volumeMounts[0].mountPropagation',
    ],
    [
      'a privileged one where the cluster lets it',
      byAuthor({ hostPID: true }, { cluster: { pod_security: 'privileged' } }),
      'spec.hostPID',
    ],
  ])('of an author: %s', (_what, input, path) => {
    expect(refusedPaths(input)).toEqual([path]);
    expect(refusedPaths({ ...input, authorIsAdmin: true })).toEqual([]);
  });
});

test('an author has what the cluster presets, as it is', () => {
  const pod_defaults = {
    spec: { volumes: [{ name: 'data', hostPath: { path: '/data' } }], nodeName: 'n1' },
  };
  const cluster = { pod_security: 'privileged' as const, pod_defaults };
  expect(refusedPaths(podInput({ cluster }))).toEqual([]);
  const other = { spec: { volumes: [{ name: 'data', hostPath: { path: '/' } }] } };
  expect(refusedPaths(podInput({ cluster, task: { template: other } }))).toEqual(['spec.volumes[0].hostPath']);
});

test('names of Pods are of one dispatch and fit', () => {
  const pod = built(podInput({ task: { name: `${'x'.repeat(80)}` } }));
  expect(pod.metadata?.name).toMatch(/^x{46}-[a-z2-7]{16}$/);
});

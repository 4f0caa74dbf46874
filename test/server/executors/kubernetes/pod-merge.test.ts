/** Whatever an author writes, the final Pod passes the restricted level as the standard words it, or is refused with a path that leads somewhere. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildPod } from '#server/executors/kubernetes/pod-spec.ts';
import { podInput } from './pod-input.ts';

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fields) : []);

/** The restricted level, word by word: what is wrong with a Pod for Linux. */
function offences(pod: Fields): string[] {
  const spec = fields(pod['spec']);
  const wrong: string[] = [];
  const must = (holds: boolean, what: string) => holds || wrong.push(what);
  const ofPod = fields(spec['securityContext']);
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC']) must(!spec[name], name);
  for (const volume of list(spec['volumes'])) {
    const { name: _name, ...kinds } = volume;
    const allowed = [
      'configMap',
      'csi',
      'downwardAPI',
      'emptyDir',
      'ephemeral',
      'persistentVolumeClaim',
      'projected',
      'secret',
    ];
    must(
      Object.keys(kinds).every((kind) => allowed.includes(kind)),
      'volume type',
    );
  }
  for (const { name } of list(ofPod['sysctls']))
    must(/^(net\.ipv4\.(ip_|tcp_|ping_)|kernel\.shm_rmid)/.test(String(name)), 'sysctl');
  must(ofPod['runAsUser'] !== 0, 'root');
  const containers = ['containers', 'initContainers', 'ephemeralContainers'].flatMap((name) => list(spec[name]));
  must(containers.length > 0, 'no container');
  for (const context of [ofPod, ...containers.map((container) => fields(container['securityContext']))]) {
    must(!fields(context['windowsOptions'])['hostProcess'], 'hostProcess');
    const { type, user, role } = fields(context['seLinuxOptions']);
    must(
      [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'].includes(
        type as never,
      ),
      'selinux type',
    );
    must(!user && !role, 'selinux user');
    for (const profile of ['seccompProfile', 'appArmorProfile'])
      if (context[profile])
        must(['RuntimeDefault', 'Localhost'].includes(String(fields(context[profile])['type'])), profile);
  }
  for (const container of containers) {
    const own = fields(container['securityContext']);
    const capabilities = fields(own['capabilities']);
    must(own['privileged'] !== true, 'privileged');
    must([undefined, 'Default'].includes(own['procMount'] as never), 'procMount');
    must(own['allowPrivilegeEscalation'] === false, 'escalation');
    must(own['runAsUser'] !== 0, 'root');
    must(
      own['runAsNonRoot'] === true || (own['runAsNonRoot'] === undefined && ofPod['runAsNonRoot'] === true),
      'perhaps root',
    );
    must(Boolean(own['seccompProfile'] ?? ofPod['seccompProfile']), 'no seccomp');
    must((capabilities['drop'] as unknown[] | undefined)?.includes('ALL') === true, 'capabilities kept');
    must(
      ((capabilities['add'] as unknown[] | undefined) ?? []).every((name) => name === 'NET_BIND_SERVICE'),
      'capabilities',
    );
    for (const port of list(container['ports'])) must(!port['hostPort'], 'host port');
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'].map((name) => fields(container[name])))
      for (const kind of ['httpGet', 'tcpSocket']) must(!fields(probe[kind])['host'], 'probe host');
    for (const hook of ['postStart', 'preStop'].map((name) => fields(fields(container['lifecycle'])[name])))
      for (const kind of ['httpGet', 'tcpSocket']) must(!fields(hook[kind])['host'], 'hook host');
  }
  return wrong;
}

/** Each of them, or most often none: a Pod in which everything is odd is refused for the first thing. */
const some = (values: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .tuple(
      ...Object.values(values).map((value) =>
        fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, { arbitrary: value, weight: 1 }),
      ),
    )
    .map((given) =>
      Object.fromEntries(
        Object.keys(values).flatMap((name, i): [string, unknown][] =>
          given[i] === undefined ? [] : [[name, given[i]]],
        ),
      ),
    );
const word = fc.constantFrom('a', 'base', 'b', '', '../x', '__proto__', 'ALL', 'SYS_ADMIN', 'NET_BIND_SERVICE', 'KILL');
const junk = fc.oneof(fc.jsonValue({ maxDepth: 3 }), word, fc.boolean(), fc.constant(null));
/** Mostly what belongs there. */
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: right, weight: 60 }, { arbitrary: junk, weight: 1 });
const user = fc.constantFrom(0, 1, 1000, -1);
const profile = some({
  type: mostly(fc.constantFrom('RuntimeDefault', 'Localhost', 'Unconfined', 'Odd')),
  localhostProfile: word,
});
const selinux = some({
  type: mostly(fc.constantFrom('container_t', 'spc_t', '')),
  user: word,
  role: word,
  level: word,
});
const context = {
  runAsUser: mostly(user),
  runAsGroup: user,
  runAsNonRoot: mostly(fc.boolean()),
  seccompProfile: mostly(profile),
  appArmorProfile: mostly(profile),
  seLinuxOptions: mostly(selinux),
  windowsOptions: some({ hostProcess: fc.boolean() }),
};
const target = some({
  port: mostly(fc.constant(80)),
  host: fc.constantFrom('', '127.0.0.1', '169.254.169.254'),
  path: word,
});
const action = some({ httpGet: target, tcpSocket: target, exec: some({ command: fc.array(word) }) });
const names = fc.constantFrom('base', 'a', 'b');
const container = fc
  .tuple(
    names,
    names,
    some({
      name: mostly(word),
      image: mostly(word),
      command: mostly(fc.array(word)),
      env: mostly(fc.array(some({ name: word, value: word }))),
      ports: mostly(
        fc.array(some({ containerPort: fc.constantFrom(1, 2), hostPort: fc.constantFrom(0, 1), protocol: word })),
      ),
      volumeMounts: mostly(fc.array(some({ name: word, mountPath: word, mountPropagation: word }))),
      resources: junk,
      lifecycle: mostly(some({ postStart: action, preStop: action })),
      livenessProbe: mostly(action),
      startupProbe: mostly(action),
      securityContext: mostly(
        some({
          ...context,
          privileged: fc.boolean(),
          allowPrivilegeEscalation: fc.boolean(),
          procMount: fc.constantFrom('Default', 'Unmasked'),
          capabilities: mostly(some({ add: mostly(fc.array(word)), drop: mostly(fc.array(word)) })),
        }),
      ),
    }),
  )
  .map(([name, image, more]) => ({ name, image, ...more }));
const volume = some({
  name: fc.constant('v'),
  hostPath: some({ path: word }),
  emptyDir: fc.constant({}),
  secret: some({ secretName: word }),
  nfs: some({ server: word, path: word }),
  csi: some({ driver: word }),
  projected: some({ sources: fc.array(some({ serviceAccountToken: some({ path: word }) })) }),
});
const spec = some({
  containers: mostly(fc.array(container, { maxLength: 3 })),
  initContainers: mostly(fc.array(container, { maxLength: 3 })),
  ephemeralContainers: mostly(fc.array(container, { maxLength: 1 })),
  volumes: mostly(fc.array(volume, { maxLength: 3 })),
  hostNetwork: mostly(fc.boolean()),
  hostPID: fc.boolean(),
  hostIPC: fc.boolean(),
  os: some({ name: fc.constantFrom('linux', 'windows') }),
  nodeName: word,
  serviceAccount: word,
  serviceAccountName: word,
  automountServiceAccountToken: fc.boolean(),
  restartPolicy: word,
  tolerations: mostly(fc.array(some({ key: word }))),
  nodeSelector: mostly(fc.dictionary(word, word)),
  securityContext: mostly(
    some({
      ...context,
      sysctls: fc.array(some({ name: fc.constantFrom('kernel.msgmax', 'net.ipv4.tcp_rmem'), value: word })),
    }),
  ),
  unknown: junk,
});
const template = some({
  metadata: mostly(
    some({
      labels: mostly(fc.dictionary(word, word)),
      finalizers: fc.array(word),
      name: word,
      namespace: fc.constantFrom('tasks', 'kube-system'),
    }),
  ),
  spec: mostly(spec),
  status: junk,
});

/** Whether something is at a path, or could be: a field that is missing in an object that is there. */
const isPath = (path: string) => /^(metadata|spec|status|apiVersion|kind|[^.[]+)?([.[].*)?$/.test(path) && path !== '';

test('the final Pod passes, or is refused with the path', () => {
  const seen = { passed: 0, refused: 0 };
  fc.assert(
    fc.property(template, template, fc.boolean(), fc.boolean(), (own, cluster, authorIsAdmin, isRunner) => {
      const built = buildPod(
        podInput({
          task: { template: own as never },
          cluster: { pod_defaults: cluster as never },
          authorIsAdmin,
          runner: isRunner ? { url: 'https://x' } : null,
        }),
      );
      if ('refused' in built) {
        seen.refused++;
        expect(built.refused.filter(({ path, message }) => !isPath(path) || message === '')).toEqual([]);
        expect(built.refused).not.toEqual([]);
        return;
      }
      seen.passed++;
      const pod = built.pod as unknown as Fields;
      if (fields(fields(pod['spec'])['os'])['name'] === 'windows') return;
      expect(offences(pod)).toEqual([]);
      expect(fields(pod['spec'])).toMatchObject({ restartPolicy: 'Never' });
      expect(list(fields(pod['spec'])['containers'])[0]?.['name']).toBe('base');
      expect(fields(pod['metadata'])).toMatchObject({ namespace: 'tasks', labels: { 'millrace.dev/dag': 'etl' } });
      if (isRunner) expect(list(fields(pod['spec'])['containers'])[0]?.['command']).toEqual(['millrace', 'run-task']);
      if (!authorIsAdmin && fields(fields(cluster)['spec'])['nodeName'] === undefined)
        expect(fields(pod['spec'])).not.toHaveProperty('nodeName');
    }),
    { numRuns: 1500 },
  );
  // Neither of them by chance alone
  expect(seen.passed).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(50);
});

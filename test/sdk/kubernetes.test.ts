import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dag, each } from '#sdk/index.ts';
import { plainPodOptions } from '#sdk/kubernetes-fields.ts';
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import { clusterOfQueue, isSystemQueue } from '#sdk/system-tasks.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

function specOf(input: unknown): DagSpec {
  const checked = validateDagSpec(input);
  if (!checked.ok) throw new Error(checked.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  // What is canonical stays as it is
  expect(validateDagSpec(JSON.parse(JSON.stringify(checked.spec)))).toEqual({ ok: true, spec: checked.spec });
  return checked.spec;
}
const issuesOf = (...tasks: object[]) => {
  const checked = validateDagSpec({ dagId: 'd', tasks });
  return checked.ok ? [] : checked.issues.map(({ path, message }) => `${path}: ${message}`);
};
const taskOf = (spec: DagSpec, taskId: string) =>
  spec.tasks.find((task) => task.taskId === taskId) as TaskSpec & { [field: string]: unknown };

test('in TypeScript and in YAML the same', () => {
  const written = dag('d', { executor: 'kubernetes', pod: { cluster: 'gpu', labels: { team: 'ml' } } }, (d) => {
    const files = d.task('files', () => ['a', 'b']);
    const train = d.pod<{ loss: number }>('train', {
      image: 'python:3.8',
      command: ['python', '-c', 'print("{{ ds }}")'],
      env: { TOKEN: { secret: 'hub', key: 'token' }, DAY: '{{ ds }}' },
      inputs: { FILE: each(files) },
      resources: { limits: { 'nvidia.com/gpu': 1 } },
      result: { file: '/out.json' },
      skipOnExitCode: 99,
      labels: { size: 'l' },
    });
    d.resource('spark', {
      after: train,
      cluster: 'data',
      manifest: {
        apiVersion: 'sparkoperator.k8s.io/v1beta2',
        kind: 'SparkApplication',
        spec: { n: '{{ 2 | tojson }}' },
      },
    });
    d.bash('here', { command: 'true', executor: 'worker' });
  });
  const yaml = parse(`
dagId: d
defaults: { executor: kubernetes, pod: { cluster: gpu, labels: { team: ml } } }
tasks:
  - { taskId: files, kind: typescript }
  - taskId: train
    kind: pod
    image: python:3.8
    command: [python, -c, 'print("{{ ds }}")']
    env: { TOKEN: { secret: hub, key: token }, DAY: '{{ ds }}' }
    map: { over: { kind: product, axes: { FILE: { task: files, key: return_value } } } }
    resources: { limits: { nvidia.com/gpu: 1 } }
    result: { file: /out.json }
    skipOnExitCode: 99
    labels: { size: l }
  - taskId: spark
    kind: resource
    upstream: train
    cluster: data
    manifest: { apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication, spec: { n: '{{ 2 | tojson }}' } }
  - { taskId: here, kind: bash, command: 'true', executor: worker }
`) as unknown;
  const spec = specOf(written.spec);
  expect(specOf(yaml)).toEqual(spec);
  expect(spec.tasks.map(({ taskId, queue }) => [taskId, queue])).toEqual([
    ['files', '@kubernetes/gpu'],
    ['train', '@kubernetes/gpu'],
    ['spark', '@kubernetes/data'],
    ['here', 'default'],
  ]);
  expect(taskOf(spec, 'train')).toMatchObject({
    labels: { team: 'ml', size: 'l' },
    env: { TOKEN: { secret: 'hub', key: 'token', optional: false }, DAY: '{{ ds }}' },
    resources: { limits: { 'nvidia.com/gpu': '1' }, requests: {} },
    skipOnExitCode: [99],
  });
});

describe('where a task runs', () => {
  const queueOf = (task: object, defaults: object = {}) =>
    specOf({ dagId: 'd', defaults, tasks: [{ taskId: 'a', ...task }] }).tasks[0]?.queue;
  const sensor = { kind: 'sensor', for: { file: '/x' } };
  test.each([
    ['on a worker', { kind: 'bash', command: 'true' }, {}, 'default'],
    ['in a Pod', { kind: 'bash', command: 'true', executor: 'kubernetes' }, {}, '@kubernetes/default'],
    ['of a cluster', { kind: 'http', url: 'x', executor: 'kubernetes', pod: { cluster: 'b' } }, {}, '@kubernetes/b'],
    ['a Pod whatever the queue', { kind: 'pod', image: 'x', queue: 'fast' }, {}, '@kubernetes/default'],
    ['on a worker again', { kind: 'bash', command: 'true', executor: 'worker' }, { executor: 'kubernetes' }, 'default'],
    ['no queue of a cluster by hand', { kind: 'bash', command: 'true', queue: '@kubernetes/x' }, {}, 'default'],
    ['nowhere', { kind: 'empty' }, { executor: 'kubernetes' }, 'default'],
    ['a sensor that looks', sensor, { executor: 'kubernetes' }, '@kubernetes/default'],
    ['a sensor that waits', { kind: 'sensor', for: { delta: 1 } }, { executor: 'kubernetes' }, '@triggerer'],
  ])('%s', (_what, task, defaults, queue) => expect(queueOf(task, defaults)).toBe(queue));

  test('is told by its queue', () => {
    expect(clusterOfQueue('@kubernetes/b')).toBe('b');
    expect(clusterOfQueue('default')).toBeNull();
    expect(isSystemQueue('@kubernetes/b')).toBe(false);
  });
});

test('what a task says of its Pod is merged with its groups and its DAG', () => {
  const container = (name: string, value: string) => ({ containers: [{ name: 'base', env: [{ name, value }] }] });
  const spec = specOf({
    dagId: 'd',
    defaults: {
      executor: 'kubernetes',
      pod: {
        cluster: 'c',
        env: { A: '1', B: '1' },
        tolerations: [{ key: 'x' }],
        template: { spec: container('T', '1') },
      },
    },
    groups: [{ groupId: 'g', defaults: { pod: { env: { B: '2' }, namespace: 'n' } } }],
    tasks: [
      {
        ...{ taskId: 'a', kind: 'bash', command: 'true', group: 'g' },
        pod: { env: { C: '3' }, tolerations: [{ key: 'y' }], template: { spec: container('U', '2') } },
      },
      { taskId: 'b', kind: 'bash', command: 'true', pod: { cluster: 'other' } },
      { taskId: 'p', kind: 'pod', image: 'x', group: 'g', env: { C: '3' } },
    ],
  });
  expect(taskOf(spec, 'a')['pod']).toMatchObject({
    cluster: 'c',
    namespace: 'n',
    env: { A: '1', B: '2', C: '3' },
    tolerations: [{ key: 'x' }, { key: 'y' }],
    template: {
      spec: {
        containers: [
          {
            name: 'base',
            env: [
              { name: 'T', value: '1' },
              { name: 'U', value: '2' },
            ],
          },
        ],
      },
    },
  });
  expect(taskOf(spec, 'b')).toMatchObject({ queue: '@kubernetes/other', pod: { env: { A: '1', B: '1' } } });
  expect(taskOf(spec, 'p')).toMatchObject({ cluster: 'c', namespace: 'n', env: { A: '1', B: '2', C: '3' } });
});

test('a result in a file says whether it is collected', () => {
  const resultOf = (result: unknown) =>
    taskOf(specOf({ dagId: 'd', tasks: [{ taskId: 'a', kind: 'pod', image: 'x', result }] }), 'a')['result'];
  expect(resultOf({ file: '/x' })).toEqual({ file: '/x', collect: false });
  const collected = { file: '/usr/results/out.json', collect: true };
  expect(resultOf(collected)).toEqual(collected);
  expect(resultOf('termination')).toBe('termination');
});

describe('mistakes are told with their path', () => {
  const pod = (fields: object) => issuesOf({ taskId: 'a', kind: 'pod', image: 'x', ...fields });
  test.each([
    [{ image: null }, /^tasks\[0\]\.image: A pod task needs an 'image'/],
    [
      { volumes: [{ name: 'v', emptydir: {} }] },
      `tasks[0].volumes[0].emptydir: Kubernetes knows no 'emptydir' in a Volume. Did you mean 'emptyDir'?`,
    ],
    [{ volumes: [{ emptyDir: {} }] }, `tasks[0].volumes[0].name: 'name' is missing in a Volume.`],
    [
      { affinity: { nodeAffinity: [] } },
      'tasks[0].affinity.nodeAffinity: a list is not an object with the fields of a NodeAffinity.',
    ],
    [
      { tolerations: [{ tolerationSeconds: '3' }] },
      `tasks[0].tolerations[0].tolerationSeconds: '3' is not a whole number.`,
    ],
    [
      { template: { spec: { hostnetwork: true } } },
      /^tasks\[0\]\.template\.spec\.hostnetwork: .*Did you mean 'hostNetwork'/,
    ],
    [{ template: { status: {} } }, /^tasks\[0\]\.template\.status: Kubernetes knows no 'status'/],
    [{ sidecars: [{ name: 'base', image: 'x' }] }, /^tasks\[0\]\.sidecars\[0\]\.name: 'base' is already/],
    [{ env: { A: { secret: 's' } } }, `tasks[0].env.A.key: 'key' is missing.`],
    [{ env: { A: { secret: 's', configMap: 'c', key: 'k' } } }, /^tasks\[0\]\.env\.A: It is a text/],
    [{ envFrom: [{ prefix: 'x' }] }, /^tasks\[0\]\.envFrom\[0\]: an object names either/],
    [{ resources: { limits: { cpu: 'much' } } }, /^tasks\[0\]\.resources\.limits\.cpu: 'much' is not a quantity/],
    [{ labels: { 'a b': 'x' } }, /^tasks\[0\]\.labels\.a b: It is not a label/],
    [{ namespace: 'Prod' }, /^tasks\[0\]\.namespace: 'Prod' is not the name of a namespace/],
    [{ cluster: 'a b' }, /^tasks\[0\]\.cluster: 'a b' is not the name of a cluster/],
    [{ result: { file: 'x' } }, `tasks[0].result.file: 'x' is not an absolute path.`],
    [{ result: { file: '/x', keep: true } }, /^tasks\[0\]\.result: .* is not a result/],
    [{ result: { file: '/r/x', collect: 1 } }, /^tasks\[0\]\.result\.collect: 1 is not true or false/],
    ...['/x.json', '/r/', '/r/../x', '/r//x', '/r:ro/x', '/usr/x', '/dev/r/x'].map((file): [object, RegExp] => [
      { result: { file, collect: true } },
      /^tasks\[0\]\.result\.file: .* folder of its own/,
    ]),
    [{ onFinish: 'remove' }, /^tasks\[0\]\.onFinish: 'remove' is not one of delete/],
    [{ skipOnExitCode: 0 }, /^tasks\[0\]\.skipOnExitCode\[0\]: 0 is not/],
    [{ imagePullPolicy: 'Sometimes' }, /^tasks\[0\]\.imagePullPolicy/],
    [{ comand: ['x'] }, `tasks[0].comand: Unknown key 'comand'. Did you mean 'command'?`],
  ])('%j', (fields, expected) => {
    const [first = '', ...more] = pod(fields);
    expect(more).toEqual([]);
    if (expected instanceof RegExp) expect(first).toMatch(expected);
    else expect(first).toBe(expected);
  });

  test('of manifests', () => {
    const job = (spec: object) => ({ apiVersion: 'batch/v1', kind: 'Job', spec });
    const template = { spec: { containers: [{ name: 'a' }] } };
    const resource = (manifest: object, more: object = {}) =>
      issuesOf({ taskId: 'r', kind: 'resource', manifest, ...more });
    expect(resource(job({ template, parallelism: '{{ params.n }}' }))).toEqual([]);
    expect(resource({ apiVersion: 'x.y/v1', kind: 'Any', spec: { what: ['ever'] } })).toEqual([]);
    expect(resource(job({ template, paralelism: 1 }))).toEqual([
      `tasks[0].manifest.spec.paralelism: Kubernetes knows no 'paralelism' in a JobSpec. Did you mean 'parallelism'?`,
    ]);
    expect(resource({ kind: 'Job' })).toEqual([`tasks[0].manifest.apiVersion: 'apiVersion' is missing.`]);
    expect(resource(job({ template }), { success: [{ path: 'status', equals: 1 }] })[0]).toMatch(
      /^tasks\[0\]\.success\[0\]\.path: 'status' is not a path/,
    );
    expect(resource(job({ template }), { failure: [{ path: '.a', in: [1], equals: 1 }] })[0]).toMatch(
      /^tasks\[0\]\.failure\[0\]: an object is no condition/,
    );
  });

  test('a Pod for code that runs on a worker', () => {
    expect(issuesOf({ taskId: 'a', kind: 'bash', command: 'true', pod: { image: 'x' } })[0]).toMatch(
      /^tasks\[0\]\.pod: It has a 'pod' but no executor/,
    );
  });
});

test('anything at all in any place is either right or told', () => {
  const names = Object.keys(plainPodOptions());
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constant({ toString: 1 }),
    fc.record({ spec: fc.record({ containers: fc.array(fc.jsonValue({ maxDepth: 2 })) }) }),
    fc.array(fc.record({ name: fc.jsonValue({ maxDepth: 1 }), path: fc.string(), in: fc.jsonValue() })),
  );
  const pod = fc.dictionary(fc.constantFrom(...names), odd, { maxKeys: 4 });
  const kind = fc.constantFrom('pod', 'resource', 'bash', 'sensor');
  const own = fc.dictionary(
    fc.constantFrom(...names, 'manifest', 'success', 'failure', 'result', 'logs', 'args', 'pod'),
    odd,
    {
      maxKeys: 4,
    },
  );
  fc.assert(
    fc.property(kind, own, pod, pod, (of, fields, presets, ofTask) => {
      const task = { taskId: 'a', kind: of, group: 'g', pod: ofTask, ...fields };
      const groups = [{ groupId: 'g', defaults: { pod: presets } }];
      const checked = validateDagSpec({ dagId: 'd', defaults: { pod: presets }, groups, tasks: [task] });
      if (checked.ok) expect(validateDagSpec(checked.spec)).toEqual(checked);
      else expect(checked.issues.filter(({ path, message }) => path === '' && !/^… and/.test(message))).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

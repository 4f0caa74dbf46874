/** Checked by tsc, never run: what must compile, and what must not. */
import { dag, each, type TaskRef } from '#sdk/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <A, B>(_same: Equal<A, B>): void => undefined;

export const onClusters = dag(
  'on_clusters',
  { executor: 'kubernetes', pod: { cluster: 'gpu', tolerations: [{ key: 'gpu', operator: 'Exists' }] } },
  ({ task, bash, python, pod, resource, empty, sensor, branch }) => {
    const days = task('days', {}, { pod: { image: 'node:24' } }, () => ['a']);
    const hello = pod('hello', { image: 'python:3.8', command: ['python'], args: '-V', inputs: { DAY: each(days) } });
    expectType<typeof hello, TaskRef<null>>(true);
    const loss = pod<{ loss: number }>('train', {
      image: 'x',
      result: { file: '/out.json' },
      env: { A: 'x', B: { secret: 's', key: 'k' }, C: { field: 'status.podIP' } },
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
      resources: { requests: { cpu: 1 }, limits: { memory: '1Gi' } },
      initContainers: [{ name: 'first', image: 'busybox' }],
      startupTimeout: '5m',
      template: { spec: { containers: [{ name: 'base', workingDir: '/w' }] } },
    });
    expectType<typeof loss, TaskRef<{ loss: number }>>(true);
    task('read', { loss }, ({ loss: value }) => value.loss + 1);
    resource('job', {
      manifest: { apiVersion: 'batch/v1', kind: 'Job', spec: {} },
      success: [{ path: '.status.phase', in: ['Done'] }],
      onFinish: 'keep_failed',
    });
    bash('b', { command: 'true', executor: 'worker' });
    python('p', { source: '1', executor: 'kubernetes', pod: { nodeSelector: { a: 'b' } } });
    sensor('s', { for: { file: '/x' }, executor: 'kubernetes' });
    branch('br', { executor: 'kubernetes', choose: [{ then: hello }] });

    // @ts-expect-error Kubernetes has no such field
    pod('p1', { image: 'x', volumes: [{ name: 'v', emptydir: {} }] });
    // @ts-expect-error a mount needs a path
    pod('p2', { image: 'x', volumeMounts: [{ name: 'v' }] });
    // @ts-expect-error a secret needs a key
    pod('p3', { image: 'x', env: { A: { secret: 's' } } });
    // @ts-expect-error a manifest says what it is
    resource('r1', { manifest: { kind: 'Job' } });
    // @ts-expect-error an executor is for code
    empty('e', { executor: 'kubernetes' });
    // @ts-expect-error the command of a task with code is its own
    bash('b1', { command: 'true', pod: { command: ['x'] } });
    // @ts-expect-error there is no such executor
    bash('b2', { command: 'true', executor: 'k8s' });
  },
);

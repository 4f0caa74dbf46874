import { describe, expect, test } from 'vitest';
import { built, HARDENED, PLAIN_SPEC, podInput, refusedPaths } from './pod-input.ts';

const collector = { file: '/results/out.json', image: 'millrace/runner:1', url: 'https://millrace.example' };
const result = { file: '/results/out.json', collect: true };

test('a Pod whose result is collected has a second container and a folder that both see, whatever images authors may use', () => {
  const limits = { executionTimeout: 60, memoryLimit: null };
  const given = podInput({ collector, limits, task: { result }, cluster: { images: ['python:*'] } });
  expect(built(given).spec).toEqual({
    ...PLAIN_SPEC,
    // An hour for the result beside what the task may need
    activeDeadlineSeconds: 60 + 600 + 30 + 60 + 3600,
    containers: [
      {
        name: 'base',
        image: 'python:3.8',
        volumeMounts: [{ name: 'millrace-result', mountPath: '/results' }],
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: HARDENED,
      },
      {
        name: 'millrace-collector',
        image: 'millrace/runner:1',
        command: ['millrace', 'collect-result'],
        env: [
          { name: 'MILLRACE_URL', value: 'https://millrace.example' },
          { name: 'MILLRACE_DISPATCH_ID', value: '7.3.-1.0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001' },
          { name: 'MILLRACE_CLUSTER', value: 'default' },
          { name: 'MILLRACE_SHUTDOWN_SECONDS', value: '30' },
          { name: 'MILLRACE_RESULT_FILE', value: '/millrace/result/out.json' },
        ],
        volumeMounts: [
          { name: 'millrace-token', mountPath: '/var/run/secrets/millrace', readOnly: true },
          { name: 'millrace-result', mountPath: '/millrace/result', readOnly: true },
          { name: 'millrace-collector-home', mountPath: '/tmp/millrace' },
        ],
        resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: '512Mi' } },
        terminationMessagePolicy: 'File',
        securityContext: { ...HARDENED, readOnlyRootFilesystem: true },
      },
    ],
    volumes: [
      {
        name: 'millrace-token',
        projected: {
          sources: [{ serviceAccountToken: { audience: 'millrace', expirationSeconds: 3600, path: 'token' } }],
        },
      },
      { name: 'millrace-result', emptyDir: {} },
      { name: 'millrace-collector-home', emptyDir: {} },
    ],
  });
});

describe('refused beside a collector', () => {
  const spec = (template: object) => podInput({ collector, task: { result, template: { spec: template } } });
  const named = { name: 'millrace-collector', image: 'python:3.8' };
  test.each([
    ['a container of its name', spec({ containers: [named] }), ['spec.containers[1].name']],
    ['an init container of its name', spec({ initContainers: [named] }), ['spec.initContainers[0].name']],
    [
      'something else in its folder',
      spec({
        containers: [{ name: 'base', volumeMounts: [{ name: 'v', mountPath: '/results/' }] }],
        volumes: [{ name: 'v', emptyDir: {} }],
      }),
      ['spec.containers[0].volumeMounts[0].mountPath'],
    ],
    [
      'what an author may not do elsewhere',
      spec({ volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
      ['spec.volumes[0].projected.sources[0].serviceAccountToken'],
    ],
  ])('%s', (_what, input, paths) => expect(refusedPaths(input)).toEqual(paths));
});

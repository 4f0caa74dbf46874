import { describe, expect, test } from 'vitest';
import { plainPodOptions } from '#sdk/kubernetes-fields.ts';
import type { PodTaskSpec, ResourceTaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { createRender } from '#server/operators/prepare-launch.ts';
import { isRunnerTask, renderPod, renderResource } from '#server/executors/kubernetes/render-pod.ts';
import { makeDispatch, type DispatchExtras } from '../../../helpers/runner.ts';

const PLAIN = { ...plainPodOptions(), command: null, args: null, logs: true, result: null, skipOnExitCode: [] };
function rendered(task: Partial<PodTaskSpec>, extras?: DispatchExtras) {
  const dispatch = makeDispatch({ kind: 'pod', ...PLAIN, ...task } as never, extras);
  return renderPod(dispatch, createRender(dispatch));
}

test('every text that may be a template is rendered', () => {
  const pod = rendered({
    image: 'etl:{{ ds_nodash }}',
    command: ['load', '{{ ds }}'],
    args: ['--try={{ ti.try_number }}'],
    env: { DAY: '{{ ds }}', TOKEN: { secret: 's', key: 'k', optional: false } },
    name: 'load-{{ ds }}',
    namespace: 'team-{{ run_id[:3] }}',
    labels: { day: '{{ ds }}' },
    annotations: { day: '{{ ds }}' },
    resources: { requests: { cpu: '{{ 2 * 2 }}' }, limits: {} },
    nodeSelector: { a: '{{ ds }}' },
  });
  expect(pod).toMatchObject({
    image: 'etl:20260102',
    command: ['load', '2026-01-02'],
    args: ['--try=1'],
    env: { DAY: '2026-01-02', TOKEN: { secret: 's', key: 'k', optional: false } },
    name: 'load-2026-01-02',
    namespace: 'team-man',
    labels: { day: '2026-01-02' },
    annotations: { day: '2026-01-02' },
    resources: { requests: { cpu: '4' } },
    // Where a Pod may run is not for values of a run
    nodeSelector: { a: '{{ ds }}' },
  });
});

test('inputs and the arguments of a mapped instance are variables', () => {
  const pod = rendered(
    { inputs: { COUNT: { task: 'up', key: 'return_value' } }, env: { FILE: 'own' }, args: ['{{ inputs.COUNT }}'] },
    {
      mapItem: { FILE: 'a.csv', ROW: { n: 1 } },
      xcoms: [{ taskId: 'up', mapIndex: -1, key: 'return_value', value: 3 }],
    },
  );
  expect(pod.env).toEqual({ FILE: 'own', ROW: '{"n":1}', COUNT: '3' });
  expect(pod.args).toEqual(['3']);
});

test('a result too large for a variable is an error that names the input', () => {
  const artifact = { hash: 'h', bytes: 200_000 };
  const xcoms = [{ taskId: 'up', mapIndex: -1, key: 'return_value', value: null, artifact }];
  expect(() => rendered({ inputs: { BIG: { task: 'up', key: 'return_value' } } }, { xcoms })).toThrow(
    /^inputs\.BIG: .*too large/,
  );
});

test('an error in a template names the field', () => {
  expect(() => rendered({ args: ['ok', '{{ nothing_here }}'] })).toThrow(/^args\[1\]: /);
});

describe('a task with code', () => {
  test('has its own Pod, and inputs are for its code', () => {
    const pod = { ...plainPodOptions(), image: 'x:{{ ds }}' };
    const inputs = { A: { task: 'up', key: 'return_value' } };
    const dispatch = makeDispatch({ kind: 'bash', executor: 'kubernetes', pod, inputs } as never);
    expect(isRunnerTask(dispatch.task)).toBe(true);
    expect(renderPod(dispatch, createRender(dispatch))).toMatchObject({
      image: 'x:2026-01-02',
      env: {},
      command: null,
    });
  });
  test('that says nothing of its Pod gets a plain one', () => {
    const dispatch = makeDispatch({ kind: 'bash', executor: 'kubernetes', pod: null } as never);
    expect(renderPod(dispatch, createRender(dispatch))).toEqual({
      ...plainPodOptions(),
      command: null,
      args: null,
      result: null,
    });
  });
  test('has errors that name the field of its Pod', () => {
    const pod = { ...plainPodOptions(), image: '{{ nothing_here }}' };
    const dispatch = makeDispatch({ kind: 'bash', executor: 'kubernetes', pod } as never);
    expect(() => renderPod(dispatch, createRender(dispatch))).toThrow(/^pod\.image: /);
  });
});

test('what is no value where one is asked for names the field', () => {
  const manifest = { apiVersion: 'x.y/v1', kind: 'Z', spec: { a: "{{ 'x' if true else params.n | tojson }}" } };
  const task = { kind: 'resource', manifest, namespace: null, logs: null } as unknown as ResourceTaskSpec;
  const dispatch = makeDispatch(task as never);
  expect(() => renderResource(task, createRender(dispatch))).toThrow(/^manifest\.spec\.a: 'x' is not the JSON/);
});

test('a manifest is rendered in every text, and takes values as they are where it says so', () => {
  const manifest: { [field: string]: Json } = {
    apiVersion: 'x.y/v1',
    kind: 'Z',
    metadata: { name: 'n-{{ ds }}' },
    spec: {
      day: '{{ ds }}',
      count: '{{ params.n | tojson }}',
      list: ['{{ params.tags | tojson }}'],
      text: 'n={{ params.n | tojson }}',
      fixed: 7,
    },
  };
  const task = {
    kind: 'resource',
    manifest,
    namespace: null,
    logs: 'app={{ ds }}',
    onFinish: 'keep',
  } as unknown as ResourceTaskSpec;
  const dispatch = makeDispatch(task as never, { run: { params: { n: 3, tags: ['a', 'b'] } } });
  expect(isRunnerTask(dispatch.task)).toBe(false);
  expect(renderResource(task, createRender(dispatch))).toEqual({
    namespace: null,
    logs: 'app=2026-01-02',
    onFinish: 'keep',
    manifest: {
      apiVersion: 'x.y/v1',
      kind: 'Z',
      metadata: { name: 'n-2026-01-02' },
      spec: { day: '2026-01-02', count: 3, list: [['a', 'b']], text: 'n=3', fixed: 7 },
    },
  });
});

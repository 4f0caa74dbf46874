import { describe, expect, test } from 'vitest';
import type { ResourceFields } from '#sdk/kubernetes-spec.ts';
import { resourceOutcome } from '#server/executors/kubernetes/resource-outcome.ts';

const outcome = (
  apiVersion: string,
  kind: string,
  status: object | undefined,
  more: Partial<Pick<ResourceFields, 'success' | 'failure' | 'result'>> = {},
) => {
  const found = resourceOutcome(
    { apiVersion, kind, metadata: { name: 'x', uid: 'u' }, ...(status && { status }) },
    { success: [], failure: [], result: null, ...more },
  );
  return found.state === 'failed' ? `failed: ${found.message}` : found.state;
};
const conditions = (...list: [type: string, status: string, message?: string][]) => ({
  conditions: list.map(([type, status, message]) => ({ type, status, ...(message && { message }) })),
});

describe('kinds that are known', () => {
  test.each([
    ['batch/v1', 'Job', { active: 1 }, 'running'],
    ['batch/v1', 'Job', conditions(['Suspended', 'True']), 'running'],
    ['batch/v1', 'Job', conditions(['Complete', 'True']), 'succeeded'],
    ['batch/v1', 'Job', conditions(['Complete', 'False']), 'running'],
    [
      ...(['batch/v1', 'Job'] as const),
      conditions(['FailureTarget', 'True', 'x'], ['Failed', 'True', 'Job has reached the specified backoff limit']),
      'failed: The Job has failed: Job has reached the specified backoff limit',
    ],
    ['sparkoperator.k8s.io/v1beta2', 'SparkApplication', { applicationState: { state: 'RUNNING' } }, 'running'],
    [
      'sparkoperator.k8s.io/v1beta2',
      'SparkApplication',
      { applicationState: { state: 'SUBMISSION_FAILED' } },
      'running',
    ],
    ['sparkoperator.k8s.io/v1beta2', 'SparkApplication', { applicationState: { state: 'COMPLETED' } }, 'succeeded'],
    [
      ...(['sparkoperator.k8s.io/v1beta2', 'SparkApplication'] as const),
      { applicationState: { state: 'FAILED', errorMessage: 'driver exited with 1' } },
      'failed: The SparkApplication has failed: driver exited with 1',
    ],
    [
      'flink.apache.org/v1beta1',
      'FlinkDeployment',
      { jobStatus: { state: 'FINISHED' }, lifecycleState: 'STABLE' },
      'succeeded',
    ],
    [
      ...(['flink.apache.org/v1beta1', 'FlinkDeployment'] as const),
      { lifecycleState: 'FAILED', error: 'no such jar' },
      'failed: The FlinkDeployment has failed: no such jar',
    ],
    ['kubeflow.org/v1', 'PyTorchJob', conditions(['Created', 'True'], ['Succeeded', 'True']), 'succeeded'],
    ['kubeflow.org/v1', 'TFJob', conditions(['Failed', 'True', 'oom']), 'failed: The TFJob has failed: oom'],
    ['kubeflow.org/v2beta1', 'MPIJob', conditions(['Running', 'True']), 'running'],
    ['argoproj.io/v1alpha1', 'Workflow', { phase: 'Succeeded' }, 'succeeded'],
    ['argoproj.io/v1alpha1', 'Workflow', { phase: 'Error', message: 'm' }, 'failed: The Workflow has failed: m'],
    ['tekton.dev/v1', 'PipelineRun', conditions(['Succeeded', 'Unknown']), 'running'],
    ['tekton.dev/v1', 'PipelineRun', conditions(['Succeeded', 'False', 'm']), 'failed: The PipelineRun has failed: m'],
    ['ray.io/v1', 'RayJob', { jobStatus: 'SUCCEEDED' }, 'succeeded'],
    ['serving.kserve.io/v1beta1', 'InferenceService', conditions(['Ready', 'True']), 'succeeded'],
    ['v1', 'ConfigMap', undefined, 'succeeded'],
    ['v1', 'Pod', { phase: 'Failed', reason: 'Evicted' }, 'failed: The Pod has failed: Evicted'],
    ['example.com/v1', 'Thing', undefined, 'running'],
    ['example.com/v1', 'Thing', { phase: 'Completed' }, 'succeeded'],
    [
      'example.com/v1',
      'Thing',
      conditions(['Failed', 'True']),
      'failed: The Thing has failed: $.status.conditions[?(@.type=="Failed" && @.status=="True")] is there.',
    ],
    ['example.com/v1', 'Thing', { phase: 'Error' }, 'failed: The Thing has failed: $.status.phase is "Error".'],
  ] as [string, string, object | undefined, string][])('%s %s %j', (apiVersion, kind, status, expected) =>
    expect(outcome(apiVersion, kind, status)).toBe(expected),
  );
});

test('what the task says comes instead of what is known', () => {
  const more = {
    success: [{ path: '.status.ready', in: [2, 3] }],
    failure: [{ path: '.status.bad', equals: { a: 1 } }],
  };
  const ofJob = (status: object) => outcome('batch/v1', 'Job', status, more);
  expect(ofJob(conditions(['Complete', 'True']))).toBe('running');
  expect(ofJob({ ready: 3 })).toBe('succeeded');
  expect(ofJob({ ready: 3, bad: { a: 1 } })).toMatch(/^failed/);
  const gone = { success: [{ path: '.status.busy', exists: false }] };
  expect(outcome('x.y/v1', 'Z', { busy: true }, gone)).toBe('running');
  expect(outcome('x.y/v1', 'Z', {}, gone)).toBe('succeeded');
});

test('its result is what stands at the path', () => {
  const object = { apiVersion: 'x.y/v1', kind: 'Z', status: { phase: 'Succeeded', out: [{ v: 1 }, { v: 2 }] } };
  const result = (path: string | null) => resourceOutcome(object, { success: [], failure: [], result: path });
  expect(result('$.status.out[0].v')).toEqual({ state: 'succeeded', result: 1 });
  expect(result('$.status.out[*].v')).toEqual({ state: 'succeeded', result: [1, 2] });
  expect(result('$.status.none')).toEqual({ state: 'succeeded', result: null });
});

test('it has started when its controller has written a status', () => {
  const state = (status?: object) =>
    resourceOutcome(
      { apiVersion: 'x.y/v1', kind: 'Z', ...(status && { status }) },
      { success: [], failure: [], result: null },
    );
  expect(state()).toEqual({ state: 'running', started: false, note: null });
  expect(state({})).toEqual({ state: 'running', started: false, note: null });
  expect(state({ phase: 'Pending' })).toEqual({ state: 'running', started: true, note: 'Pending' });
});

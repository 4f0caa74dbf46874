/** When objects of well-known kinds have succeeded or failed, and whose output is their log. Pure. */
import type { ResourceCondition } from '#sdk/kubernetes-spec.ts';

export interface ResourcePreset {
  success: readonly ResourceCondition[];
  failure: readonly ResourceCondition[];
  /** Label selector of its Pods, by the object's name; null: none that is known. */
  logs: ((name: string) => string) | null;
}

/** A condition of the object has this status. */
const condition = (type: string, status: 'True' | 'False' = 'True'): ResourceCondition => ({
  path: `$.status.conditions[?(@.type=="${type}" && @.status=="${status}")]`,
  exists: true,
});
const oneOf = (path: string, ...values: string[]): ResourceCondition => ({ path, in: values });

const withLabel =
  (label: string, more = '') =>
  (name: string) =>
    `${label}=${name}${more}`;

const JOB: ResourcePreset = {
  success: [condition('Complete')],
  failure: [condition('Failed')],
  logs: withLabel('job-name'),
};
const TRAINING: ResourcePreset = {
  success: [condition('Succeeded')],
  failure: [condition('Failed')],
  logs: withLabel('training.kubeflow.org/job-name'),
};
const tekton = (label: string): ResourcePreset => ({
  success: [condition('Succeeded')],
  failure: [condition('Succeeded', 'False')],
  logs: withLabel(label),
});
const FLINK: ResourcePreset = {
  success: [oneOf('$.status.jobStatus.state', 'FINISHED')],
  failure: [oneOf('$.status.jobStatus.state', 'FAILED', 'CANCELED'), oneOf('$.status.lifecycleState', 'FAILED')],
  logs: withLabel('app', ',component=jobmanager'),
};
/** Ready to serve: it goes on then. */
const READY: ResourcePreset = { success: [condition('Ready')], failure: [], logs: null };
/** It is there, and that is all. */
const THERE: ResourcePreset = { success: [{ path: '$.metadata.uid', exists: true }], failure: [], logs: null };

/** By group (without the version) and kind. */
const PRESETS: { [groupAndKind: string]: ResourcePreset } = {
  'batch Job': JOB,
  ' Pod': {
    success: [oneOf('$.status.phase', 'Succeeded')],
    failure: [oneOf('$.status.phase', 'Failed')],
    logs: null,
  },
  ' PersistentVolumeClaim': {
    success: [oneOf('$.status.phase', 'Bound')],
    failure: [oneOf('$.status.phase', 'Lost')],
    logs: null,
  },
  'apps Deployment': {
    success: [condition('Available')],
    failure: [condition('Progressing', 'False'), condition('ReplicaFailure')],
    logs: null,
  },
  'sparkoperator.k8s.io SparkApplication': {
    success: [oneOf('$.status.applicationState.state', 'COMPLETED')],
    failure: [oneOf('$.status.applicationState.state', 'FAILED')],
    logs: withLabel('sparkoperator.k8s.io/app-name', ',spark-role=driver'),
  },
  'flink.apache.org FlinkDeployment': FLINK,
  'flink.apache.org FlinkSessionJob': { ...FLINK, logs: null },
  'kubeflow.org PyTorchJob': TRAINING,
  'kubeflow.org TFJob': TRAINING,
  'kubeflow.org MPIJob': TRAINING,
  'kubeflow.org XGBoostJob': TRAINING,
  'kubeflow.org PaddleJob': TRAINING,
  'kubeflow.org JAXJob': TRAINING,
  'trainer.kubeflow.org TrainJob': { ...JOB, logs: withLabel('jobset.sigs.k8s.io/jobset-name') },
  'jobset.x-k8s.io JobSet': {
    success: [condition('Completed')],
    failure: [condition('Failed')],
    logs: withLabel('jobset.sigs.k8s.io/jobset-name'),
  },
  'argoproj.io Workflow': {
    success: [oneOf('$.status.phase', 'Succeeded')],
    failure: [oneOf('$.status.phase', 'Failed', 'Error')],
    logs: withLabel('workflows.argoproj.io/workflow'),
  },
  'tekton.dev PipelineRun': tekton('tekton.dev/pipelineRun'),
  'tekton.dev TaskRun': tekton('tekton.dev/taskRun'),
  'ray.io RayJob': {
    success: [oneOf('$.status.jobStatus', 'SUCCEEDED')],
    failure: [oneOf('$.status.jobStatus', 'FAILED', 'STOPPED'), oneOf('$.status.jobDeploymentStatus', 'Failed')],
    logs: withLabel('job-name'),
  },
  'batch.volcano.sh Job': {
    success: [oneOf('$.status.state.phase', 'Completed')],
    failure: [oneOf('$.status.state.phase', 'Failed', 'Aborted', 'Terminated')],
    logs: withLabel('volcano.sh/job-name'),
  },
  'serving.kserve.io InferenceService': READY,
  'serving.knative.dev Service': READY,
  ...Object.fromEntries(
    [' ConfigMap', ' Secret', ' Service', ' ServiceAccount', 'networking.k8s.io NetworkPolicy'].map((kind) => [
      kind,
      THERE,
    ]),
  ),
};

/** What most controllers write. */
const OTHERWISE: ResourcePreset = {
  success: [
    condition('Complete'),
    condition('Completed'),
    condition('Succeeded'),
    oneOf('$.status.phase', 'Succeeded', 'Completed', 'Complete'),
    oneOf('$.status.state', 'Succeeded', 'Completed', 'COMPLETED'),
  ],
  failure: [
    condition('Failed'),
    condition('Succeeded', 'False'),
    oneOf('$.status.phase', 'Failed', 'Error'),
    oneOf('$.status.state', 'Failed', 'Error', 'FAILED'),
  ],
  logs: null,
};

export const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';

export function presetOf(apiVersion: string, kind: string): ResourcePreset {
  const name = `${groupOf(apiVersion)} ${kind}`;
  return (Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined) ?? OTHERWISE;
}

import { plainPodOptions } from '#sdk/kubernetes-fields.ts';
import { buildPod, type PodInput } from '#server/executors/kubernetes/pod-spec.ts';
import type { RenderedPod } from '#server/executors/kubernetes/pod-fields.ts';

type Given = { [Name in keyof Omit<PodInput, 'task' | 'cluster'>]?: PodInput[Name] } & {
  task?: Partial<RenderedPod>;
  cluster?: Partial<PodInput['cluster']>;
};

/** A dispatch of `etl.load` in a namespace `tasks`, and what the test says of it. */
export const podInput = ({ task, cluster, ...given }: Given = {}): PodInput => ({
  dispatch: {
    dispatchId: '7.3.-1.0f7a2c1e-5d43-4e0a-9a55-3f1f4be7c001',
    dagId: 'etl',
    taskId: 'load',
    mapIndex: -1,
    tryNumber: 2,
    run: { runKey: 'scheduled__2026-01-02' },
  },
  limits: { executionTimeout: null, memoryLimit: null },
  installation: 'f00',
  authorIsAdmin: false,
  runner: null,
  collector: null,
  ...given,
  task: { ...plainPodOptions(), image: 'python:3.8', command: null, args: null, result: null, ...task },
  cluster: {
    name: 'default',
    namespaces: ['tasks', 'more'],
    runner_image: 'millrace/runner:1',
    pod_security: 'restricted',
    images: [],
    service_accounts: [],
    pod_defaults: null,
    ...cluster,
  },
});

/** @throws where it is refused */
export function built(input: PodInput) {
  const result = buildPod(input);
  if ('refused' in result) throw new Error(result.refused.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return result.pod;
}

export function refusedPaths(input: PodInput): string[] {
  const result = buildPod(input);
  return 'refused' in result ? result.refused.map(({ path }) => path) : [];
}

/** What the Pod of a task that says nothing of it has beside its containers. */
export const PLAIN_SPEC = {
  restartPolicy: 'Never',
  enableServiceLinks: false,
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 30,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 10_001,
    fsGroup: 10_001,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  },
};
/** Of its containers. */
export const HARDENED = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

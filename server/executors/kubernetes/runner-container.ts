/** What makes a Pod run the code of a task: `millrace run-task` in its container `base`. Pure. */
import { mergePods } from '#sdk/kubernetes-merge.ts';
import type { KubePod } from './kube-types.ts';
import { BASE_CONTAINER } from './pod-fields.ts';
import type { Named } from './pod-name.ts';

type Spec = NonNullable<KubePod['spec']>;

/** Whom the token of a runner's Pod is for: the API takes no other. */
export const TOKEN_AUDIENCE = 'millrace';
/** Where a runner finds it; the kubelet writes a new one before the old one ends. */
const TOKEN_FOLDER = '/var/run/secrets/millrace';
const TOKEN_SECONDS = 3600;
const TOKEN_VOLUME = 'millrace-token';
/** Of Kubernetes. */
const DEFAULT_GRACE_SECONDS = 30;

export const TOKEN_MOUNT = { name: TOKEN_VOLUME, mountPath: TOKEN_FOLDER, readOnly: true };

export const tokenVolume = () => ({
  name: TOKEN_VOLUME,
  projected: {
    sources: [{ serviceAccountToken: { audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS, path: 'token' } }],
  },
});

/** What our programs in a Pod are told; the token is in its volume alone. `url`: where Pods of this cluster find the API. */
export const podEnvironment = (
  spec: Pick<Spec, 'terminationGracePeriodSeconds'>,
  { dispatchId }: Pick<Named, 'dispatchId'>,
  cluster: { name: string },
  url: string,
) => [
  { name: 'MILLRACE_URL', value: url },
  { name: 'MILLRACE_DISPATCH_ID', value: dispatchId },
  { name: 'MILLRACE_CLUSTER', value: cluster.name },
  { name: 'MILLRACE_SHUTDOWN_SECONDS', value: String(spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) },
];

/** `url`: where Pods of this cluster find the API. */
export function withRunner(
  spec: Spec,
  dispatch: Pick<Named, 'dispatchId'>,
  cluster: { name: string; runner_image: string | null },
  url: string,
): Spec {
  const image = spec.containers.find(({ name }) => name === BASE_CONTAINER)?.image ?? cluster.runner_image;
  const base = {
    name: BASE_CONTAINER,
    ...(image !== null && { image }),
    command: ['millrace', 'run-task'],
    args: null,
    env: podEnvironment(spec, dispatch, cluster, url),
    volumeMounts: [TOKEN_MOUNT],
  };
  return withoutArguments(mergePods(spec, { containers: [base], volumes: [tokenVolume()] }));
}

const withoutArguments = (spec: Spec): Spec => ({
  ...spec,
  containers: spec.containers.map(({ args, ...container }) =>
    args === null || args === undefined ? container : { ...container, args },
  ),
});

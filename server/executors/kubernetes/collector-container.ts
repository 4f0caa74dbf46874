/** The container that brings the result which the task of a Pod leaves in a file: `millrace collect-result`. Pure. */
import { mergePods } from '#sdk/kubernetes-merge.ts';
import type { KubePod } from './kube-types.ts';
import { BASE_CONTAINER } from './pod-fields.ts';
import { podEnvironment, TOKEN_MOUNT, tokenVolume } from './runner-container.ts';
import type { Named } from './pod-name.ts';

type Spec = NonNullable<KubePod['spec']>;

export const COLLECTOR_CONTAINER = 'millrace-collector';
const RESULT_VOLUME = 'millrace-result';
const HOME_VOLUME = 'millrace-collector-home';
const HOME = '/tmp/millrace';
/** A result of 64 MiB is read whole, as text and as what it says. */
const RESOURCES = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '512Mi' } };

export interface CollectedFile {
  /** The file that the task writes; its folder is shared with the collector. */
  file: string;
  /** The image of Millrace. */
  image: string;
}

/** `url`: where Pods of this cluster find the API. Throws when `file` is not below a folder of its own. */
export function withCollector(
  spec: Spec,
  dispatch: Pick<Named, 'dispatchId'>,
  cluster: { name: string },
  url: string,
  { file, image }: CollectedFile,
): Spec {
  const folder = file.slice(0, file.lastIndexOf('/'));
  if (!file.startsWith('/') || folder === '' || file.endsWith('/'))
    throw new Error(`The result file '${file}' must be a path such as /results/result.json: its folder is shared.`);
  const collector = {
    name: COLLECTOR_CONTAINER,
    image,
    command: ['millrace', 'collect-result'],
    env: [...podEnvironment(spec, dispatch, cluster, url), { name: 'MILLRACE_RESULT_FILE', value: file }],
    volumeMounts: [
      TOKEN_MOUNT,
      { name: RESULT_VOLUME, mountPath: folder, readOnly: true },
      { name: HOME_VOLUME, mountPath: HOME },
    ],
    resources: RESOURCES,
    terminationMessagePolicy: 'File',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
  const base = { name: BASE_CONTAINER, volumeMounts: [{ name: RESULT_VOLUME, mountPath: folder }] };
  const empty = (name: string) => ({ name, emptyDir: {} });
  return mergePods(spec, {
    containers: [base, collector],
    volumes: [tokenVolume(), empty(RESULT_VOLUME), empty(HOME_VOLUME)],
  });
}

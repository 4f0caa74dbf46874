/** The container that brings the result which the task of a Pod leaves in a file: `millrace collect-result`. Pure. */
import { mergePods } from '#sdk/kubernetes-merge.ts';
import type { KubePod } from './kube-types.ts';
import { BASE_CONTAINER } from './pod-fields.ts';
import { podEnvironment, TOKEN_MOUNT, tokenVolume } from './runner-container.ts';
import type { Named } from './pod-name.ts';
import type { Refusal } from './pod-spec.ts';

type Spec = NonNullable<KubePod['spec']>;

export const COLLECTOR_CONTAINER = 'millrace-collector';
const RESULT_VOLUME = 'millrace-result';
/** Where the collector sees it: the task's own path could be one that it needs itself. */
const RESULT_FOLDER = '/millrace/result';
const HOME_VOLUME = 'millrace-collector-home';
const HOME = '/tmp/millrace';
/** From the end of the task's container; the cluster's own deadline for the Pod is later by as much. */
export const COLLECT_SECONDS = 3_600;
/** A result of 64 MiB is read whole, as text and as what it says. */
const RESOURCES = { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: '512Mi' } };

export interface CollectedFile {
  /** The file that the task writes, in a folder of its own that is shared with the collector. */
  file: string;
  /** The image of Millrace. */
  image: string;
}

/** `url`: where Pods of this cluster find the API. */
export function withCollector(
  spec: Spec,
  dispatch: Pick<Named, 'dispatchId'>,
  cluster: { name: string },
  url: string,
  { file, image }: CollectedFile,
): Spec {
  const folder = folderOf(file);
  const collector = {
    name: COLLECTOR_CONTAINER,
    image,
    command: ['millrace', 'collect-result'],
    env: [
      ...podEnvironment(spec, dispatch, cluster, url),
      { name: 'MILLRACE_RESULT_FILE', value: `${RESULT_FOLDER}${file.slice(folder.length)}` },
    ],
    volumeMounts: [
      TOKEN_MOUNT,
      { name: RESULT_VOLUME, mountPath: RESULT_FOLDER, readOnly: true },
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

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf('/'));

/** What a Pod must not have by itself when a collector is added. */
export function collectorRefusals({ containers, initContainers = [] }: Spec, file: string): Refusal[] {
  const refused: Refusal[] = [];
  for (const [list, among] of Object.entries({ containers, initContainers }))
    among.forEach(({ name }, index) => {
      if (name !== COLLECTOR_CONTAINER) return;
      const message = `'${name}' is the container of Millrace that brings the result. Give it another name.`;
      refused.push({ path: `spec.${list}[${index}].name`, message });
    });
  const base = containers.findIndex(({ name }) => name === BASE_CONTAINER);
  containers[base]?.volumeMounts?.forEach(({ mountPath }, index) => {
    if (mountPath.replace(/\/+$/, '') !== folderOf(file)) return;
    const message = `The folder of the result is an empty volume of Millrace. Write the result to another folder than ${mountPath}.`;
    refused.push({ path: `spec.containers[${base}].volumeMounts[${index}].mountPath`, message });
  });
  return refused;
}

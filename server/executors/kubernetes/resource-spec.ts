/** The object of a `resource` task, with its name and labels, checked, or refused with the path of what must not be. Pure. */
import { checkKubernetes, kubernetesType } from '#sdk/kubernetes-check.ts';
import { withoutNulls } from '#sdk/kubernetes-merge.ts';
import { KUBERNETES_TYPES } from '#sdk/kubernetes-fields.generated.ts';
import type { FinishAction } from '#sdk/kubernetes-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { KubeObject, KubePod } from './kube-types.ts';
import {
  annotationsOf,
  labelsOf,
  MOST_IN_RESOURCE_NAME,
  podName,
  uuidOf,
  withoutOurs,
  type Named,
} from './pod-name.ts';
import type { PodCluster, Refusal } from './pod-spec.ts';
import { resourceRefusals } from './resource-policy.ts';
import { presetOf } from './resource-presets.ts';
import { withRestrictedDefaults } from './restricted-defaults.ts';

export interface ResourceInput {
  dispatch: Named;
  /** With templates rendered. */
  task: { manifest: { [field: string]: Json }; namespace: string | null; logs: string | null; onFinish: FinishAction };
  cluster: PodCluster;
  installation: string;
  authorIsAdmin: boolean;
}
export type BuiltResource =
  | { object: KubeObject; /** Label selector of the Pods whose output is the log; null: none. */ logs: string | null }
  | { refused: Refusal[] };

/** Where a Pod stands in objects that make Pods. */
const POD_WITHIN: { [type: string]: string[] } = {
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
};

export function buildResource(input: ResourceInput): BuiltResource {
  const { task, cluster, authorIsAdmin } = input;
  const apiVersion = String(task.manifest['apiVersion']);
  const kind = String(task.manifest['kind']);
  const type = kubernetesType(apiVersion, kind);
  const manifest = withoutNulls(type === null ? task.manifest : (asTyped(type, task.manifest) as Fields));
  const refused: Refusal[] = [];
  const report = (path: string, message: string) => refused.push({ path: path.replace(/^\./, ''), message });
  if (type !== null) checkKubernetes(type, manifest, '', report);
  else checkKubernetes('ObjectMeta', manifest['metadata'] ?? {}, 'metadata', report);
  if (refused.length > 0) return { refused };
  const at = type === null ? undefined : POD_WITHIN[type];
  const object = changeAt(named(input, manifest), at ?? null, withoutOurLabels);
  const settled = cluster.pod_security === 'restricted' ? changeAt(object, at ?? null, hardened(type)) : object;
  const pod = at ? { at: at.join('.'), pod: (podAt(settled, at) ?? {}) as KubePod } : null;
  refused.push(...resourceRefusals(settled, pod, cluster, authorIsAdmin));
  if (refused.length > 0) return { refused };
  const selector = task.logs ?? presetOf(apiVersion, kind).logs?.(object.metadata?.name ?? '') ?? null;
  return { object: settled, logs: selector };
}

/** With the name of this dispatch, which begins as it was written. */
function named({ dispatch, task, cluster, installation }: ResourceInput, manifest: KubeObject): KubeObject {
  const { generateName, ...metadata } = manifest.metadata ?? {};
  return {
    ...manifest,
    metadata: {
      ...metadata,
      name: podName(
        ...([dispatch.dagId, dispatch.taskId, uuidOf(dispatch.dispatchId)] as const),
        metadata.name ?? generateName ?? null,
        MOST_IN_RESOURCE_NAME,
      ),
      namespace: task.namespace ?? metadata.namespace ?? cluster.namespaces[0] ?? 'default',
      labels: { ...withoutOurs(metadata.labels), ...labelsOf(dispatch, installation) },
      annotations: { ...withoutOurs(metadata.annotations), ...annotationsOf(dispatch, task.onFinish) },
    },
  };
}

type Fields = { [field: string]: unknown };

const hardened =
  (type: string | null) =>
  (pod: Fields): Fields => {
    const { spec } = pod as KubePod;
    if (!spec) return pod;
    // The default of a Pod is none that a Job may have
    const restartPolicy = type === 'Job' ? { restartPolicy: spec.restartPolicy ?? 'Never' } : {};
    const isNamed = (spec.serviceAccountName ?? spec.serviceAccount) !== undefined;
    const token = isNamed ? {} : { automountServiceAccountToken: spec.automountServiceAccountToken ?? false };
    return { ...pod, spec: { ...withRestrictedDefaults(spec), ...token, ...restartPolicy } };
  };

/** Its Pods are the object's, not the dispatch's: the launcher must not take one for the other. */
const withoutOurLabels = (pod: Fields): Fields => {
  const { metadata } = pod as KubePod;
  return metadata?.labels ? { ...pod, metadata: { ...metadata, labels: withoutOurs(metadata.labels) } } : pod;
};

/** `at` null: there is no such place. */
function changeAt<T extends object>(value: T, at: readonly string[] | null, change: (inner: Fields) => Fields): T {
  return at === null ? value : (changeFields(value as Fields, at, change) as T);
}

function changeFields(whole: Fields, at: readonly string[], change: (inner: Fields) => Fields): Fields {
  const [field, ...rest] = at;
  if (field === undefined) return change(whole);
  const inner = whole[field];
  if (typeof inner !== 'object' || inner === null) return whole;
  return { ...whole, [field]: changeFields(inner as Fields, rest, change) };
}

const podAt = (value: object, at: readonly string[]): unknown =>
  at.reduce<unknown>((inner, field) => (inner as Fields | undefined)?.[field], value);

/** A rendered text where a number or a boolean belongs becomes one. */
function asTyped(type: string, value: unknown): unknown {
  if (type.endsWith('[]')) return Array.isArray(value) ? value.map((item) => asTyped(type.slice(0, -2), item)) : value;
  const fields = Object.hasOwn(KUBERNETES_TYPES, type) ? KUBERNETES_TYPES[type] : undefined;
  if (fields && typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, asTyped((fields[name] ?? 'any').replace('!', ''), inner)]),
    );
  if (typeof value !== 'string') return value;
  if ((type === 'int' || type === 'number') && value.trim() !== '' && Number.isFinite(Number(value)))
    return Number(value);
  return type === 'boolean' && /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : value;
}

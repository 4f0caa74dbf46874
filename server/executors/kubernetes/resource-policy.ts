/** What tasks of kind `resource` may create: the Pods inside are held to what Pods of tasks are. Pure. */
import { authorRefusals } from './author-policy.ts';
import { clusterRefusals } from './cluster-policy.ts';
import type { KubeObject, KubePod } from './kube-types.ts';
import { podSecurityRefusals } from './pod-security.ts';
import type { PodCluster, Refusal } from './pod-spec.ts';
import { groupOf } from './resource-presets.ts';

/** Kinds of Kubernetes itself that authors may create. Custom resources they may, as far as the cluster lets the service. */
const FOR_AUTHORS = new Set(['batch Job', ' ConfigMap', ' PersistentVolumeClaim']);
/** Groups of custom resources with a name like those of Kubernetes itself. */
const CUSTOM_GROUPS = new Set(['sparkoperator.k8s.io']);

function isCustom(group: string): boolean {
  if (CUSTOM_GROUPS.has(group) || group.endsWith('.x-k8s.io')) return true;
  return group.includes('.') && !group.endsWith('.k8s.io');
}

/** `pod`: the Pod that stands in it, and where; null: none that is known. */
export function resourceRefusals(
  object: KubeObject,
  pod: { at: string; pod: KubePod } | null,
  cluster: PodCluster,
  authorIsAdmin: boolean,
): Refusal[] {
  const { apiVersion = '', kind = '', metadata } = object;
  const group = groupOf(apiVersion);
  const refused = clusterRefusals({ metadata: metadata ?? {} }, cluster);
  if (!authorIsAdmin && !isCustom(group) && !FOR_AUTHORS.has(`${group} ${kind}`))
    refused.push({
      path: 'kind',
      message: `Authors may not create a ${kind} of ${apiVersion}. Somebody who administers the service may deploy this DAG.`,
    });
  if (!authorIsAdmin) refused.push(...authorRefusals({ metadata: metadata ?? {} }, {}));
  if (pod) {
    // Its namespace is that of the whole
    const within = { ...pod.pod, metadata: { ...pod.pod.metadata, namespace: metadata?.namespace ?? '' } };
    const inside = [
      ...clusterRefusals(within, cluster),
      ...podSecurityRefusals(pod.pod, cluster.pod_security),
      ...(authorIsAdmin ? [] : authorRefusals(pod.pod, {})),
    ].filter(({ path }) => path !== 'metadata.namespace');
    refused.push(...inside.map(({ path, message }) => ({ path: `${pod.at}.${path}`, message })));
  } else if (cluster.pod_security !== 'privileged') refused.push(...hostRefusals(object, ''));
  return refused;
}

const HOST_FLAGS = new Set(['hostNetwork', 'hostPID', 'hostIPC', 'privileged', 'hostProcess']);
const NOT_HERE = 'What a controller makes of it must not reach into its node.';

/** Nobody knows where Pods stand in a custom resource; these words mean the same in all. */
function hostRefusals(value: unknown, path: string): Refusal[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => hostRefusals(item, `${path}[${index}]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]: [string, unknown]) => {
    const at = path === '' ? field : `${path}.${field}`;
    if (HOST_FLAGS.has(field) && inner === true) return [{ path: at, message: NOT_HERE }];
    if (field === 'hostPath' && typeof inner === 'object' && inner !== null) return [{ path: at, message: NOT_HERE }];
    return hostRefusals(inner, at);
  });
}

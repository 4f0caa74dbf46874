/** What the settings of a cluster allow: namespaces, service accounts and images. They hold for everybody. Pure. */
import type { KubePod } from './kube-types.ts';
import type { PodCluster, Refusal } from './pod-spec.ts';

/** `*` stands for anything. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const [index, part] of rest.entries()) {
    const isLast = index === rest.length - 1;
    const found = isLast ? text.length - part.length : text.indexOf(part, at);
    if (found < at || (isLast && !text.endsWith(part))) return false;
    at = found + part.length;
  }
  return rest.length > 0 || at === text.length;
}

export function clusterRefusals(
  pod: KubePod,
  cluster: Pick<PodCluster, 'name' | 'namespaces' | 'images' | 'service_accounts' | 'runner_image'>,
): Refusal[] {
  const refused: Refusal[] = [];
  const { namespace = '' } = pod.metadata ?? {};
  if (!cluster.namespaces.includes(namespace))
    refused.push({
      path: 'metadata.namespace',
      message: `'${namespace}' is no namespace for tasks on the cluster '${cluster.name}'. There are ${cluster.namespaces.join(', ')}.`,
    });
  const account = pod.spec?.serviceAccountName;
  if (account !== undefined && cluster.service_accounts.length > 0 && !cluster.service_accounts.includes(account))
    refused.push({
      path: 'spec.serviceAccountName',
      message: `'${account}' is no service account for tasks on the cluster '${cluster.name}'. There are ${cluster.service_accounts.join(', ')}.`,
    });
  for (const [path, image] of imagesOf(pod))
    if (image !== cluster.runner_image && !isAllowedImage(image, cluster.images))
      refused.push({
        path,
        message: `The cluster '${cluster.name}' runs no image '${image}'. It runs ${cluster.images.join(', ')}.`,
      });
  return refused;
}

const isAllowedImage = (image: string, patterns: readonly string[]): boolean =>
  patterns.length === 0 || patterns.some((pattern) => matchesGlob(pattern, image));

function* imagesOf({ spec }: KubePod): Generator<[path: string, image: string]> {
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const)
    for (const [index, { image }] of (spec?.[list] ?? []).entries())
      if (image !== undefined) yield [`spec.${list}[${index}].image`, image];
  for (const [index, { image }] of (spec?.volumes ?? []).entries())
    if (image?.reference !== undefined) yield [`spec.volumes[${index}].image.reference`, image.reference];
}

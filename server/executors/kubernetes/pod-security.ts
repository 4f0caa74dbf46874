/**
 * The Pod Security Standards of Kubernetes, baseline and restricted, as of 1.34: each violation with its path. Clusters check this
 * themselves where a namespace says so; here it holds wherever a task runs, and is known before anything is created. Pure.
 */
import type { PodSecurityLevel } from '#sdk/clusters.ts';
import type { KubePod } from './kube-types.ts';
import type { Refusal } from './pod-spec.ts';
import { baselineContainer, restrictedContainer, restrictedPodContext } from './pod-security-contexts.ts';

export type Spec = NonNullable<KubePod['spec']>;
/** Where something is, what is there, and why it must not be. */
export type Found = (path: string, message: string) => void;

export function podSecurityRefusals(pod: KubePod, level: PodSecurityLevel): Refusal[] {
  const refused: Refusal[] = [];
  if (level === 'privileged' || !pod.spec) return refused;
  const found: Found = (path, message) => refused.push({ path, message: `${message} (Pod security: ${level})` });
  checkBaseline(pod, pod.spec, found);
  if (level === 'restricted') checkRestricted(pod.spec, found);
  return refused;
}

const LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const;

export function* containersOf(spec: Spec): Generator<[path: string, container: Spec['containers'][number]]> {
  for (const list of LISTS)
    for (const [index, container] of (spec[list] ?? []).entries()) yield [`spec.${list}[${index}]`, container];
}

const SAFE_SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

function checkBaseline(pod: KubePod, spec: Spec, found: Found): void {
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
    if (spec[field]) found(`spec.${field}`, 'A Pod must not share namespaces of its node.');
  for (const [index, { hostPath }] of (spec.volumes ?? []).entries())
    if (hostPath) found(`spec.volumes[${index}].hostPath`, 'A Pod must not see files of its node.');
  for (const [index, { name }] of (spec.securityContext?.sysctls ?? []).entries())
    if (!SAFE_SYSCTLS.has(name)) found(`spec.securityContext.sysctls[${index}].name`, `'${name}' is not a safe one.`);
  for (const [name, value] of Object.entries(pod.metadata?.annotations ?? {}))
    if (name.startsWith(APPARMOR_ANNOTATION) && value !== 'runtime/default' && !value.startsWith('localhost/'))
      found(`metadata.annotations.${name}`, `'${value}' takes AppArmor away.`);
  if (spec.securityContext) baselineContainer.context('spec.securityContext', spec.securityContext, found);
  for (const [path, container] of containersOf(spec)) baselineContainer.whole(path, container, found);
}

const RESTRICTED_VOLUMES = new Set([
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'],
]);

function checkRestricted(spec: Spec, found: Found): void {
  for (const [index, volume] of (spec.volumes ?? []).entries())
    for (const kind of Object.keys(volume))
      if (kind !== 'name' && !RESTRICTED_VOLUMES.has(kind))
        found(`spec.volumes[${index}].${kind}`, `A volume must be one of ${[...RESTRICTED_VOLUMES].join(', ')}.`);
  restrictedPodContext(spec, found);
  for (const [path, container] of containersOf(spec)) restrictedContainer(spec, path, container, found);
}

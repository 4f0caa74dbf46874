/** What the fields of a task say of its Pod, as a part of a Pod. Pure. */
import type { EnvFrom, EnvValue, KubernetesOptions, PodFields, PodTemplate } from '#sdk/kubernetes-spec.ts';

/** A task of kind `pod`, or the `pod` of one with code, with every template rendered. */
export type RenderedPod = KubernetesOptions & Pick<PodFields, 'command' | 'args' | 'result'>;

/** The container whose end is the task's. */
export const BASE_CONTAINER = 'base';
/** Seconds, unless somebody says another. */
const TERMINATION_GRACE = 30;

type Part = { [field: string]: unknown };

/** Without what was not said: null and empty. */
const said = (fields: Part): Part =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== null && (typeof value !== 'object' || Object.keys(value as object).length > 0),
    ),
  );

const envEntry = (name: string, value: EnvValue): Part => {
  if (typeof value === 'string') return { name, value };
  if ('field' in value) return { name, valueFrom: { fieldRef: { fieldPath: value.field } } };
  if ('resource' in value) return { name, valueFrom: { resourceFieldRef: { resource: value.resource } } };
  const optional = value.optional ? { optional: true } : {};
  if ('secret' in value)
    return { name, valueFrom: { secretKeyRef: { name: value.secret, key: value.key, ...optional } } };
  return { name, valueFrom: { configMapKeyRef: { name: value.configMap, key: value.key, ...optional } } };
};

const envFromEntry = ({ secret, configMap, prefix, optional }: EnvFrom): Part => ({
  ...(prefix !== null && { prefix }),
  [secret === null ? 'configMapRef' : 'secretRef']: { name: secret ?? configMap, ...(optional && { optional: true }) },
});

/** `base` first, then the sidecars. */
const containersOf = (task: RenderedPod): Part[] => [
  {
    name: BASE_CONTAINER,
    ...said({
      image: task.image,
      imagePullPolicy: task.imagePullPolicy,
      command: task.command,
      env: Object.entries(task.env).map(([name, value]) => envEntry(name, value)),
      envFrom: task.envFrom.map(envFromEntry),
      ports: task.ports,
      volumeMounts: task.volumeMounts,
      resources: said({ requests: task.resources.requests, limits: task.resources.limits }),
      securityContext: task.securityContext,
    }),
    // No arguments at all is something to say, too
    ...(task.args !== null && { args: task.args }),
  },
  ...task.sidecars.map((container) => ({ ...container })),
];

/** To be merged over `task.template`. */
export function podOfFields(task: RenderedPod): PodTemplate {
  const grace = task.template?.spec?.terminationGracePeriodSeconds;
  const metadata = said({ labels: task.labels, annotations: task.annotations });
  const spec = said({
    nodeSelector: task.nodeSelector,
    affinity: task.affinity,
    tolerations: task.tolerations,
    serviceAccountName: task.serviceAccount,
    imagePullSecrets: task.imagePullSecrets.map((name) => ({ name })),
    priorityClassName: task.priorityClass,
    schedulerName: task.schedulerName,
    securityContext: task.podSecurityContext,
    initContainers: task.initContainers,
    containers: containersOf(task),
    volumes: task.volumes,
    hostAliases: task.hostAliases,
    dnsPolicy: task.dnsPolicy,
    dnsConfig: task.dnsConfig,
    runtimeClassName: task.runtimeClass,
    terminationGracePeriodSeconds:
      task.terminationGrace === TERMINATION_GRACE && grace !== undefined ? null : Math.ceil(task.terminationGrace),
  });
  return { metadata, spec };
}

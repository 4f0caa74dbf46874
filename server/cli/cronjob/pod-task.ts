/**
 * The task of a Pod template. What tasks have fields for becomes fields, which people read and templates may change; all else stays as
 * Kubernetes has it, in `template`. Pure.
 */
import type { TaskSpecInput } from '#sdk/dag-spec.ts';
import { isPlain, type Fields, type Plain } from './manifest-fields.ts';

/** Where a Pod that fails is started again: after 10 s, 20 s, 40 s … at most six minutes. */
export interface PodRetries {
  retries: number;
  /** Seconds a try may take; null: no limit. */
  timeout: number | null;
}

/** Text that is rendered as a template and must come out as it is. */
export const escapeTemplate = (text: string): string => text.replace(/\{[{%#]/g, (open) => `{{ '${open}' }}`);

/** Empty: there is no container. */
export function podTasks(template: Fields, namespace: string | null, pod: PodRetries): TaskSpecInput[] {
  const metadata = template.object('metadata');
  metadata.ignore('creationTimestamp', 'name', 'namespace', 'generateName');
  const spec = template.object('spec');
  // Every try is a Pod of its own, with the time limit of its task
  spec.ignore('restartPolicy', 'activeDeadlineSeconds');
  spec.ignoreDefaults({
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    terminationGracePeriodSeconds: 30,
  });
  const [main, ...others] = spec.list('containers');
  if (!main) {
    spec.warn('There is no container.', 'containers');
    return [];
  }
  for (const other of others)
    other.warn(`It runs beside the first container, and ends when that ends: a Job would wait for both.`);
  const taskId = (main.text('name') ?? 'main').replace(/[^A-Za-z0-9_.-]/g, '_');
  const container = ofContainer(main);
  const own = said({
    namespace,
    ...container.fields,
    ...ofPod(spec),
    sidecars: others.map(restOf),
    labels: texts(metadata.take('labels')),
    annotations: texts(metadata.take('annotations')),
  });
  const rest = said({
    ...restOf(spec),
    ...(Object.keys(container.rest).length > 0 && { containers: [{ name: 'base', ...container.rest }] }),
  });
  return [
    {
      taskId,
      kind: 'pod',
      ...own,
      ...(Object.keys(rest).length > 0 && { template: { spec: rest } }),
      ...(pod.timeout !== null && { executionTimeout: pod.timeout }),
      ...(pod.retries > 0 && { retries: pod.retries, retryDelay: '10s', retryBackoff: 2, maxRetryDelay: '6m' }),
    } as TaskSpecInput,
  ];
}

function ofContainer(container: Fields): { fields: Plain; rest: Plain } {
  container.ignoreDefaults({ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' });
  const image = container.text('image');
  const env = readEnv(container.take('env'));
  const fields = {
    image: image && escapeTemplate(image),
    imagePullPolicy: container.take('imagePullPolicy'),
    command: words(container.take('command')),
    args: words(container.take('args')),
    env: env.fields,
    envFrom: readEnvFrom(container),
    resources: readResources(container),
    ports: container.take('ports'),
    volumeMounts: container.take('volumeMounts'),
    securityContext: container.take('securityContext'),
  };
  return { fields, rest: { ...(env.rest !== null && { env: env.rest }), ...restOf(container) } };
}

function ofPod(spec: Fields): Plain {
  const account = spec.take('serviceAccountName');
  // Its old name, which the API server writes beside it
  const oldAccount = spec.take('serviceAccount');
  const secrets = spec.take('imagePullSecrets');
  return {
    serviceAccount: account ?? oldAccount,
    imagePullSecrets: Array.isArray(secrets)
      ? secrets.map((secret) => (isPlain(secret) ? secret['name'] : secret))
      : [],
    initContainers: spec.take('initContainers'),
    volumes: spec.take('volumes'),
    nodeSelector: spec.take('nodeSelector'),
    affinity: spec.take('affinity'),
    tolerations: spec.take('tolerations'),
    priorityClass: spec.take('priorityClassName'),
    schedulerName: spec.take('schedulerName'),
    runtimeClass: spec.take('runtimeClassName'),
    podSecurityContext: spec.take('securityContext'),
    hostAliases: spec.take('hostAliases'),
    dnsPolicy: spec.take('dnsPolicy'),
    dnsConfig: spec.take('dnsConfig'),
    terminationGrace: spec.take('terminationGracePeriodSeconds'),
  };
}

/** All that nobody has taken. */
const restOf = (fields: Fields): Plain => Object.fromEntries(fields.names().map((name) => [name, fields.take(name)]));

/** Without what is empty. */
const said = (fields: Plain): Plain =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== null && value !== undefined && (typeof value !== 'object' || Object.keys(value).length > 0),
    ),
  );

const words = (value: unknown): string[] =>
  Array.isArray(value) ? value.map((word) => escapeTemplate(String(word))) : [];

const texts = (value: unknown): Plain =>
  isPlain(value)
    ? Object.fromEntries(Object.entries(value).map(([name, text]) => [name, escapeTemplate(String(text))]))
    : {};

/** As Kubernetes has it where its order matters, since values refer to one another, or where fields cannot say it. */
function readEnv(list: unknown): { fields: Plain; rest: unknown } {
  if (!Array.isArray(list)) return { fields: {}, rest: list ?? null };
  const entries = list.map(envEntry);
  const isPlainEnv = entries.every((entry) => entry !== null);
  return isPlainEnv ? { fields: Object.fromEntries(entries), rest: null } : { fields: {}, rest: list };
}

function envEntry(entry: unknown): [name: string, value: unknown] | null {
  if (!isPlain(entry) || typeof entry['name'] !== 'string') return null;
  const { name, value, valueFrom, ...more } = entry;
  if (Object.keys(more).length > 0) return null;
  if (valueFrom !== undefined) return withSource(name, valueFrom);
  const text = String(value ?? '');
  return text.includes('$(') ? null : [name, escapeTemplate(text)];
}

function withSource(name: string, source: unknown): [name: string, value: unknown] | null {
  if (!isPlain(source) || Object.keys(source).length !== 1) return null;
  const [[kind, reference] = ['', null]] = Object.entries(source);
  if (!isPlain(reference)) return null;
  const { name: object, key, optional, fieldPath, apiVersion = 'v1', resource, ...more } = reference;
  if (Object.keys(more).length > 0 || apiVersion !== 'v1') return null;
  const isOptional = optional === true ? { optional } : {};
  switch (kind) {
    case 'secretKeyRef':
      return [name, { secret: object, key, ...isOptional }];
    case 'configMapKeyRef':
      return [name, { configMap: object, key, ...isOptional }];
    case 'fieldRef':
      return [name, { field: fieldPath }];
    case 'resourceFieldRef':
      return [name, { resource }];
    default:
      return null;
  }
}

function readEnvFrom(container: Fields): unknown {
  const list = container.peek('envFrom');
  if (!Array.isArray(list)) return undefined;
  container.ignore('envFrom');
  return list.map((entry: unknown) => {
    if (!isPlain(entry)) return entry;
    const { prefix, configMapRef, secretRef } = entry;
    const reference = isPlain(configMapRef) ? configMapRef : isPlain(secretRef) ? secretRef : {};
    const { name, optional } = reference;
    return {
      [isPlain(configMapRef) ? 'configMap' : 'secret']: name,
      ...(prefix !== undefined && { prefix }),
      ...(optional === true && { optional }),
    };
  });
}

/** Claims of devices are no field of a task. */
function readResources(container: Fields): Plain {
  const written = container.peek('resources');
  if (!isPlain(written)) return {};
  const { requests, limits, ...more } = written;
  if (Object.keys(more).length > 0) return {};
  container.ignore('resources');
  return said({ requests, limits });
}

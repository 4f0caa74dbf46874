/** Readers of the fields of tasks that run on a Kubernetes cluster. */
import { CLUSTER_NAME_PATTERN, DEFAULT_CLUSTER, NAMESPACE_PATTERN } from './clusters.ts';
import { checkKubernetes, hasTemplate } from './kubernetes-check.ts';
import { mergePods } from './kubernetes-merge.ts';
import {
  DNS_POLICIES,
  EXECUTORS,
  FINISH_ACTIONS,
  IMAGE_PULL_POLICIES,
  type EnvFrom,
  type EnvValue,
  type KubernetesOptions,
} from './kubernetes-spec.ts';
import {
  boolean,
  createFieldsReader,
  duration,
  fieldsSchema,
  isPlainObject,
  json,
  list,
  oneOf,
  orNull,
  record,
  show,
  text,
  textList,
  type Field,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';

const LONG = 131_072;
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]{0,252}$/;
const LABEL = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** A text of a form that Kubernetes asks for; a template is looked at when it is rendered. */
const named = (pattern: RegExp, what: string, templated: boolean): Field<string> => ({
  schema: templated ? { type: 'string', maxLength: 8_000 } : { type: 'string', pattern: pattern.source },
  read(value, path, report) {
    const isRight =
      typeof value === 'string' &&
      value.length <= 8_000 &&
      ((pattern.test(value) && value.length <= 253) || (templated && hasTemplate(value)));
    if (!isRight) report(path(), `${show(value)} is not ${what}.`);
    return isRight ? value : '';
  },
});
export const namespaceName = named(
  NAMESPACE_PATTERN,
  'the name of a namespace: a-z, 0-9 and -, at most 63 of them',
  true,
);
const cluster: Field<string> = {
  ...named(CLUSTER_NAME_PATTERN, 'the name of a cluster: a-z, 0-9 and -, at most 63 of them', false),
  fallback: () => DEFAULT_CLUSTER,
};
const objectName = named(DNS_NAME, 'the name of an object in Kubernetes: a-z, 0-9, - and .', false);
const entryKey = named(/^[-._a-zA-Z0-9]{1,253}$/, 'a key: A-Z a-z 0-9 - _ .', false);

/** An object of Kubernetes, or a list of them, as it is. */
const kubernetes = (type: string, partial = false): Field => ({
  schema: { type: type.endsWith('[]') ? 'array' : 'object', description: `Kubernetes: ${type}` },
  read(value, path, report) {
    checkKubernetes(type, value, path(), report, { partial });
    return json.read(value, path, report);
  },
});
const objects = (type: string): Field => ({ ...kubernetes(`${type}[]`), fallback: () => [] });
const object = (type: string): Field => orNull(kubernetes(type));

const oneKey = (value: Plain, keys: readonly string[]) => keys.filter((key) => Object.hasOwn(value, key)).length === 1;

const ENV_SOURCES = ['secret', 'configMap', 'field', 'resource'];
const REFERENCE: Fields = { key: entryKey, optional: boolean.or(false) };
const readReference = {
  secret: createFieldsReader({ secret: objectName, ...REFERENCE }),
  configMap: createFieldsReader({ configMap: objectName, ...REFERENCE }),
  field: createFieldsReader({ field: text(1000) }),
  resource: createFieldsReader({ resource: text(1000) }),
};
const envSchemas = [
  fieldsSchema({ secret: objectName, ...REFERENCE }),
  fieldsSchema({ configMap: objectName, ...REFERENCE }),
  fieldsSchema({ field: text(1000) }),
  fieldsSchema({ resource: text(1000) }),
];

const envValue: Field<EnvValue> = {
  schema: { anyOf: [{ type: 'string', maxLength: LONG }, ...envSchemas] },
  read(value, path, report) {
    if (!isPlainObject(value)) return text(LONG).read(value, path, report);
    const source = ENV_SOURCES.find((name) => Object.hasOwn(value, name)) as keyof typeof readReference | undefined;
    if (source && oneKey(value, ENV_SOURCES))
      return readReference[source](value, path(), report) as unknown as EnvValue;
    report(path(), `It is a text, { secret, key }, { configMap, key }, { field } or { resource }.`);
    return '';
  },
};

const ENV_FROM: Fields = {
  secret: orNull(objectName),
  configMap: orNull(objectName),
  prefix: text(253).or(null),
  optional: boolean.or(false),
};
const readEnvFrom = createFieldsReader(ENV_FROM);
const envFrom: Field<EnvFrom> = {
  schema: fieldsSchema(ENV_FROM),
  read(value, path, report) {
    const read = readEnvFrom(isPlainObject(value) ? value : {}, path(), report) as unknown as EnvFrom;
    if ((read.secret === null) === (read.configMap === null))
      report(path(), `${show(value)} names either a 'secret' or a 'configMap'.`);
    return read;
  },
};

/** A port alone stands for `{ containerPort }`. */
const ports: Field = {
  schema: { type: 'array', items: { anyOf: [{ type: 'integer' }, { type: 'object' }] } },
  fallback: () => [],
  read(value, path, report) {
    const given = Array.isArray(value) ? (value as unknown[]) : value;
    const whole = Array.isArray(given)
      ? given.map((port) => (typeof port === 'number' ? { containerPort: port } : port))
      : given;
    return kubernetes('ContainerPort[]').read(whole, path, report);
  },
};

const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;
const quantity: Field<string> = {
  schema: { type: ['string', 'number'] },
  read(value, path, report) {
    const written = typeof value === 'number' ? String(value) : value;
    if (typeof written === 'string' && (QUANTITY.test(written) || hasTemplate(written))) return written;
    report(path(), `${show(value)} is not a quantity such as '500m', 2 or '1Gi'.`);
    return '';
  },
};
const RESOURCES: Fields = { requests: record(LABEL, quantity, 100), limits: record(LABEL, quantity, 100) };
const readResources = createFieldsReader(RESOURCES);
const resources: Field = {
  schema: fieldsSchema(RESOURCES),
  fallback: () => readResources({}, '', () => undefined),
  read(value, path, report) {
    if (!isPlainObject(value)) report(path(), `${show(value)} is not an object with requests and limits.`);
    return readResources(isPlainObject(value) ? value : {}, path(), report);
  },
};

/** So that a key of the form that Kubernetes wants is asked for in its words. */
const labelled = (item: Field<string>): Field<{ [name: string]: string }> => ({
  ...record(LABEL, item),
  read(value, path, report) {
    const keyed: Report = (at, message) =>
      report(
        at,
        message.includes('is not a name.') ? 'It is not a label: [prefix/]name of A-Z a-z 0-9 - _ .' : message,
      );
    return record(LABEL, item).read(value, path, keyed);
  },
});

const template: Field = {
  schema: { anyOf: [{ type: 'object', description: 'Kubernetes: Pod, or a part of one' }, { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    checkKubernetes('Pod', value, path(), report, { partial: true });
    if (isPlainObject(value) && value['kind'] !== undefined && value['kind'] !== 'Pod')
      report(`${path()}.kind`, `${show(value['kind'])} is not 'Pod'.`);
    return json.read(value, path, report);
  },
};

const envRecord: Field = {
  ...record(ENV_NAME, envValue),
  schema: { ...record(ENV_NAME, envValue).schema, description: 'Texts are templates' },
};

/** What the task's Pod is, whatever runs in it. */
export const POD_OPTIONS: { [Name in keyof KubernetesOptions]: Field } = {
  cluster,
  namespace: orNull(namespaceName),
  name: text(8_000).or(null),
  image: text(8_000).or(null),
  env: envRecord,
  envFrom: list(envFrom),
  ports,
  volumes: objects('Volume'),
  volumeMounts: objects('VolumeMount'),
  resources,
  nodeSelector: labelled(text(8_000)),
  affinity: object('Affinity'),
  tolerations: objects('Toleration'),
  serviceAccount: orNull(objectName),
  imagePullSecrets: textList(objectName, 100),
  imagePullPolicy: orNull(oneOf(IMAGE_PULL_POLICIES)),
  priorityClass: orNull(objectName),
  schedulerName: text(253).or(null),
  labels: labelled(text(8_000)),
  annotations: labelled(text(LONG)),
  securityContext: object('SecurityContext'),
  podSecurityContext: object('PodSecurityContext'),
  initContainers: objects('Container'),
  sidecars: objects('Container'),
  hostAliases: objects('HostAlias'),
  dnsPolicy: orNull(oneOf(DNS_POLICIES)),
  dnsConfig: object('PodDNSConfig'),
  runtimeClass: orNull(objectName),
  template,
  terminationGrace: duration(0).or(30),
  scheduleTimeout: duration(1).or(null),
  startupTimeout: duration(1).or(600),
  onFinish: oneOf(FINISH_ACTIONS).or('delete'),
};

/** One field of a task over what its DAG says: merged as Kubernetes merges Pods. */
export function mergeOption(name: string, preset: unknown, own: unknown): unknown {
  // A variable comes from one place
  if (name === 'env') return { ...(preset as Plain), ...(own as Plain) };
  return mergePods({ [name]: preset }, { [name]: own })[name];
}

const readOptions = createFieldsReader(POD_OPTIONS);

/** The Pod of a task that says nothing of it. */
export const plainPodOptions = (): KubernetesOptions =>
  readOptions({}, '', () => undefined) as unknown as KubernetesOptions;

const pod: Field<Plain | null> = {
  schema: { anyOf: [fieldsSchema(POD_OPTIONS), { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    if (!isPlainObject(value)) report(path(), `${show(value)} is not an object that says something of a Pod.`);
    return readOptions(isPlainObject(value) ? value : {}, path(), report);
  },
  combine(preset, own, written) {
    if (!preset || !own || !isPlainObject(written)) return own;
    const said = Object.keys(own).filter((name) => written[name] !== undefined);
    return { ...preset, ...Object.fromEntries(said.map((name) => [name, mergeOption(name, preset[name], own[name])])) };
  },
};

/** Of tasks whose code may run in a Pod. */
export const EXECUTOR_FIELDS: Fields = { executor: orNull(oneOf(EXECUTORS)), pod };

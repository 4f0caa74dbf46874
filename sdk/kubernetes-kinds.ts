/** The kinds of task that are objects of a Kubernetes cluster, and what lets a task with code run in a Pod. */
import type { KindOf } from './code-fields.ts';
import { checkKubernetes, hasTemplate, kubernetesType } from './kubernetes-check.ts';
import { EXECUTOR_FIELDS, mergeOption, POD_OPTIONS } from './kubernetes-fields.ts';
import { DEFAULT_CLUSTER } from './clusters.ts';
import type { ResourceCondition } from './kubernetes-spec.ts';
import { podResult } from './pod-result.ts';
import { parseResourcePath } from './resource-path.ts';
import {
  boolean,
  integer,
  isPlainObject,
  json,
  list,
  orNull,
  show,
  text,
  textList,
  type Field,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';
import { anyQueue, settledByCluster, settledByWorker } from './system-queue.ts';

const LONG = 262_144;

const words: Field<string[] | null> = orNull(textList(text(LONG), 1000));

/** An exit code alone stands for a list of it; null: none. */
const exitCodes: Field = {
  schema: {
    anyOf: [{ type: 'array', items: { type: 'integer', minimum: 1, maximum: 255 } }, { type: ['integer', 'null'] }],
  },
  fallback: () => [],
  read: (value, path, report) =>
    list(integer(1, 255), 255).read(typeof value === 'number' ? [value] : value === null ? [] : value, path, report),
};

const logs: Field = {
  schema: { anyOf: [{ type: 'boolean' }, { type: 'array', items: { type: 'string' }, maxItems: 100 }] },
  fallback: () => true,
  read: (value, path, report) =>
    typeof value === 'boolean' ? boolean.read(value, path, report) : textList(text(63), 100).read(value, path, report),
};

const resourcePath: Field<string> = {
  schema: { type: 'string', maxLength: 1000 },
  read(value, path, report) {
    const parsed = typeof value === 'string' && value.length <= 1000 ? parseResourcePath(value) : 'It must be a text.';
    if (typeof parsed === 'string')
      report(path(), `${show(value)} is not a path. ${parsed} Write $.status.phase, as kubectl does without the $.`);
    return typeof value === 'string' ? value : '';
  },
};

const TESTS = ['in', 'equals', 'exists'];
const condition: Field<ResourceCondition> = {
  schema: {
    type: 'object',
    properties: { path: resourcePath.schema, in: { type: 'array' }, equals: {}, exists: { type: 'boolean' } },
    required: ['path'],
    additionalProperties: false,
    minProperties: 2,
    maxProperties: 2,
  },
  read(value, path, report) {
    const given = isPlainObject(value) ? value : {};
    const [test = '', ...more] = Object.keys(given).filter((name) => name !== 'path');
    const wanted = given[test];
    const isRight =
      more.length === 0 &&
      TESTS.includes(test) &&
      (test !== 'exists' || typeof wanted === 'boolean') &&
      (test !== 'in' || Array.isArray(wanted));
    if (!isRight) report(path(), `${show(value)} is no condition. Give { path } and one of ${TESTS.join(', ')}.`);
    return {
      path: resourcePath.read(given['path'], () => `${path()}.path`, report),
      [test]: json.read(wanted ?? null, () => `${path()}.${test}`, report),
    } as unknown as ResourceCondition;
  },
};

const manifest: Field = {
  schema: {
    type: 'object',
    properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } },
    required: ['apiVersion', 'kind'],
  },
  read(value, path, report) {
    if (!isPlainObject(value)) report(path(), `${show(value)} is not an object of Kubernetes.`);
    const read = isPlainObject(value) ? value : {};
    for (const name of ['apiVersion', 'kind'])
      if (read[name] === undefined) report(`${path()}.${name}`, `'${name}' is missing.`);
      else if (typeof read[name] !== 'string' || hasTemplate(read[name]))
        report(`${path()}.${name}`, `${show(read[name])} is not the ${name} of an object. It is no template.`);
    if (read['kind'] === 'Pod' && read['apiVersion'] === 'v1')
      report(`${path()}.kind`, `A Pod is a task of kind 'pod', with this as its 'template'.`);
    const { apiVersion, kind } = read;
    const isNamed = typeof apiVersion === 'string' && typeof kind === 'string';
    const type = isNamed ? kubernetesType(apiVersion, kind) : null;
    if (type !== null) checkKubernetes(type, read, path(), report, { templates: true });
    else if (read['metadata'] !== undefined)
      checkKubernetes('ObjectMeta', read['metadata'], `${path()}.metadata`, report, { templates: true });
    return json.read(read, path, report);
  },
};

/** Containers of a list that may be wrong, which is told elsewhere. */
const containersIn = (list: unknown): Plain[] =>
  Array.isArray(list) ? list.map((item: unknown) => (isPlainObject(item) ? item : {})) : [];

/** A Pod without an image cannot start; with a template it may stand there. */
function checkPod(task: Plain, path: string, report: Report): void {
  settledByCluster(task, task['cluster']);
  const template = isPlainObject(task['template']) ? task['template'] : {};
  const spec = isPlainObject(template['spec']) ? template['spec'] : {};
  const hasImage = containersIn(spec['containers']).some(
    ({ name, image }) => name === 'base' && typeof image === 'string',
  );
  if (task['image'] === null && !hasImage)
    report(`${path}.image`, `A pod task needs an 'image', or a container 'base' with one in its 'template'.`);
  checkContainers(task, path, report);
}

function checkContainers(pod: Plain, path: string, report: Report): void {
  const seen = new Set(['base']);
  for (const field of ['initContainers', 'sidecars'])
    containersIn(pod[field]).forEach(({ name }, index) => {
      if (typeof name === 'string' && seen.has(name))
        report(`${path}.${field}[${index}].name`, `${show(name)} is already a container of this Pod.`);
      if (typeof name === 'string') seen.add(name);
    });
}

/** Settles where a task with code runs. */
export function checkExecutor(task: Plain, path: string, report: Report): void {
  const pod = task['pod'] as Plain | null;
  if (task['executor'] !== 'kubernetes') settledByWorker(task);
  else settledByCluster(task, pod?.['cluster'] ?? DEFAULT_CLUSTER);
  if (task['executor'] === null && pod !== null)
    report(
      `${path}.pod`,
      `It has a 'pod' but no executor. Write executor: 'kubernetes', or 'worker' where the DAG's pod is not for it.`,
    );
  if (pod) checkContainers(pod, `${path}.pod`, report);
}

/** The same kind of task, which may run in a Pod of its own. */
export const withExecutor = (kind: KindOf): KindOf => ({
  ...kind,
  fields: { ...kind.fields, queue: anyQueue, ...EXECUTOR_FIELDS },
  check(task, path, report) {
    checkExecutor(task, path, report);
    kind.check?.(task, path, report);
  },
});

/** What `defaults.pod` says holds for these fields too. */
const mergeable = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      { ...field, combine: (preset: unknown, own: unknown) => mergeOption(name, preset, own) },
    ]),
  );

/** Presets of a DAG or a group as tasks of a kind see them. */
export function presetsOf(kind: string, presets: Plain): Plain {
  const { pod } = presets;
  return (kind === 'pod' || kind === 'resource') && isPlainObject(pod) ? { ...presets, ...pod } : presets;
}

const { cluster, namespace, onFinish, startupTimeout } = POD_OPTIONS;

export const KUBERNETES_KINDS_OF_TASK: { [Kind in 'pod' | 'resource']: KindOf } = {
  pod: {
    summary: 'Any image, in a Pod of a Kubernetes cluster.',
    fields: {
      queue: anyQueue,
      ...mergeable(POD_OPTIONS),
      command: words,
      args: words,
      logs,
      result: podResult,
      skipOnExitCode: exitCodes,
    },
    check: checkPod,
  },
  resource: {
    summary: 'Any object of a Kubernetes cluster: created, and waited for.',
    fields: {
      queue: anyQueue,
      cluster,
      namespace,
      manifest,
      success: list(condition, 100),
      failure: list(condition, 100),
      logs: text(8_000).or(null),
      onFinish,
      startupTimeout,
      result: orNull(resourcePath),
    },
    check: (task) => settledByCluster(task, task['cluster']),
  },
};

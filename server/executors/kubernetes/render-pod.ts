/** What a task says of its Pod or object, with every template rendered. */
import { plainPodOptions } from '#sdk/kubernetes-fields.ts';
import type { EnvValue, KubernetesOptions } from '#sdk/kubernetes-spec.ts';
import type { PodTaskSpec, ResourceTaskSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { asVariable, MOST_IN_VARIABLE } from '../../operators/bash.ts';
import { inputsOf, isLargeInput } from '../../operators/inputs.ts';
import type { Render } from '../../operators/launch.ts';
import { renderAll } from '../../operators/render-all.ts';
import type { RenderedPod } from './pod-fields.ts';

/** True when the Pod of this task runs its code; false when the Pod, or another object, is the task. */
export const isRunnerTask = (task: TaskSpec): boolean => task.kind !== 'pod' && task.kind !== 'resource';

/** Throws a TemplateError that names the field, and an Error for an input that is too large for a Pod. */
export function renderPod(dispatch: Dispatch, render: Render): RenderedPod {
  const { task } = dispatch;
  if (task.kind !== 'pod') {
    const options = ('pod' in task && task.pod) || plainPodOptions();
    const inPod: Render = (field, template) => render(`pod.${field}`, template);
    return { ...renderOptions(options, inPod), command: null, args: null, result: null };
  }
  const words = (field: 'command' | 'args') =>
    task[field]?.map((word, index) => render(`${field}[${index}]`, word)) ?? null;
  return {
    ...renderOptions(task, render),
    env: { ...inputVariables(dispatch, task), ...renderEnv(task.env, render) },
    command: words('command'),
    args: words('args'),
    result: task.result,
  };
}

/** Inputs are environment variables; an `env` entry of the same name wins. */
function inputVariables(dispatch: Dispatch, task: PodTaskSpec): { [name: string]: string } {
  for (const name of Object.keys(task.inputs))
    if (isLargeInput(dispatch, name, MOST_IN_VARIABLE))
      throw new Error(
        `inputs.${name}: the result is too large for an environment variable of a Pod. Hand over where it lies.`,
      );
  const given = Object.entries(inputsOf(dispatch, MOST_IN_VARIABLE));
  return Object.fromEntries(given.map(([name, value]) => [name, asVariable(value)]));
}

function renderOptions(options: KubernetesOptions, render: Render): KubernetesOptions {
  const text = (field: string, value: string | null) => (value === null ? null : render(field, value));
  const texts = (field: string, values: { [name: string]: string }) =>
    renderAll(render, field, values) as { [name: string]: string };
  return {
    ...options,
    namespace: text('namespace', options.namespace),
    name: text('name', options.name),
    image: text('image', options.image),
    env: renderEnv(options.env, render),
    labels: texts('labels', options.labels),
    annotations: texts('annotations', options.annotations),
    resources: {
      requests: texts('resources.requests', options.resources.requests),
      limits: texts('resources.limits', options.resources.limits),
    },
  };
}

const renderEnv = (env: KubernetesOptions['env'], render: Render): { [name: string]: EnvValue } =>
  Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      typeof value === 'string' ? render(`env.${name}`, value) : value,
    ]),
  );

/** A resource task's manifest, namespace and log selector. */
export function renderResource(task: ResourceTaskSpec, render: Render) {
  return {
    manifest: renderNative(render, 'manifest', task.manifest) as { [field: string]: Json },
    namespace: task.namespace === null ? null : render('namespace', task.namespace),
    logs: task.logs === null ? null : render('logs', task.logs),
    onFinish: task.onFinish,
  };
}

const ONE_VALUE = /^\{\{[^{}]*\|\s*tojson\s*\}\}$/;

/** As `renderAll`; a text that is one `{{ … | tojson }}` alone becomes the value itself. */
function renderNative(render: Render, field: string, value: Json): Json {
  if (typeof value === 'string') {
    const text = render(field, value);
    return ONE_VALUE.test(value.trim()) ? jsonOf(field, text) : text;
  }
  if (Array.isArray(value)) return value.map((item, index) => renderNative(render, `${field}[${index}]`, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, renderNative(render, `${field}.${key}`, item)]),
  );
}

function jsonOf(field: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const hint = 'Put brackets around what stands before the filter.';
    throw new Error(`${field}: '${text.slice(0, 60)}' is not the JSON that tojson makes. ${hint}`, { cause });
  }
}

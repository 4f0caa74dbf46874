import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { TaskKind, TaskSpec } from '#sdk/dag-spec.ts';
import { prepareBash } from './bash.ts';
import { inService, onCluster, prepareBranch, prepareShortCircuit } from './decision.ts';
import { prepareEmpty } from './empty.ts';
import { prepareHttp } from './http.ts';
import { fromJson } from './jinja/values.ts';
import type { Launch, Prepare, Render } from './launch.ts';
import { preparePython } from './python.ts';
import { isTemplate, renderTemplate, TemplateError, type TemplateContext } from './render-template.ts';
import { prepareSql } from './sql.ts';
import { isLargeInput } from './inputs.ts';
import { templateContext } from './template-context.ts';
import { prepareSensor } from './sensor.ts';
import { prepareTypeScript } from './typescript.ts';

const OPERATORS: { [Kind in TaskKind]: Prepare<Kind> } = {
  empty: prepareEmpty,
  bash: prepareBash,
  python: preparePython,
  typescript: prepareTypeScript,
  branch: prepareBranch,
  short_circuit: prepareShortCircuit,
  latest_only: inService,
  map: inService,
  http: prepareHttp,
  sql: prepareSql,
  pod: onCluster,
  resource: onCluster,
  sensor: prepareSensor,
  trigger_dag: inService,
  approval: inService,
};

/** Throws a TemplateError whose message names the field. `onRendered` hears what each field with a template came to. */
export function prepareLaunch(dispatch: Dispatch, onRendered?: (field: string, text: string) => void): Launch {
  const prepare = OPERATORS[dispatch.task.kind] as (task: TaskSpec, dispatch: Dispatch, render: Render) => Launch;
  const render = createRender(dispatch);
  const heard: Render = (field, template) => {
    const text = render(field, template);
    if (isTemplate(template)) onRendered?.(field, text);
    return text;
  };
  return prepare(dispatch.task, dispatch, heard);
}

/** The name of a mapped instance for people, of any length, of the template over its arguments. Null: it has none. */
export function renderMapName(dispatch: Dispatch): string | null {
  if (dispatch.mapName === null) return null;
  return createRender(dispatch, { ...dispatch.mapItem })('map.name', dispatch.mapName);
}

/** Renders fields of the dispatch's task. `names` come before the context's own. */
export function createRender(dispatch: Dispatch, names: { [name: string]: Json } = {}): Render {
  let context: TemplateContext | undefined;
  return (field, template) => {
    if (!template.includes('{')) return template;
    context ??= withNames(names, templateContext(dispatch));
    try {
      return renderTemplate(template, context);
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      const hint = hintOf(cause.message, dispatch);
      throw new TemplateError(`${field}: ${cause.message} in the template ${shorten(template)}.${hint}`, template, {
        cause,
      });
    }
  };
}

const withNames =
  (names: { [name: string]: Json }, context: TemplateContext): TemplateContext =>
  (name) =>
    Object.hasOwn(names, name) ? fromJson(names[name] ?? null) : context(name);

const shorten = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

function hintOf(message: string, dispatch: Dispatch): string {
  const [, input] = /^'inputs\.(\w+)/.exec(message) ?? [];
  if (input !== undefined && isLargeInput(dispatch, input))
    return ' The result is too large for a template: take it as an input of a python or typescript task.';
  return dispatch.run.logicalDate === null && /^'(ds|ts)(_nodash)?'/.test(message)
    ? ' This run has no logical date: it was triggered by hand without one.'
    : '';
}

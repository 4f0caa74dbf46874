import type { PythonTaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import type { Launch, Prepare, Render } from './launch.ts';
import { findXComs } from '#sdk/xcom-values.ts';
import { isLargeInput, resultsOf } from './inputs.ts';

/** Every string of a JSON value is a template. */
export function renderAll(render: Render, field: string, value: Json): Json {
  if (typeof value === 'string') return render(field, value);
  if (Array.isArray(value)) return value.map((item, index) => renderAll(render, `${field}[${index}]`, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, renderAll(render, `${field}.${key}`, item)]),
  );
}

type PythonCode = Pick<PythonTaskSpec, 'callable' | 'source' | 'args'>;

export const preparePython: Prepare<'python'> = (task, dispatch, render) => preparePythonCode(task, dispatch, render);

/** Inputs that the process reads itself: they are files. */
export const largeInputsOf = (dispatch: Dispatch): { [name: string]: XComValue[] } =>
  Object.fromEntries(
    Object.entries(dispatch.task.inputs)
      .filter(([name]) => isLargeInput(dispatch, name))
      .map(([name, { task, key }]) => [name, findXComs(dispatch.xcoms, task, key)]),
  );

/** For every kind whose code may be Python. */
export const preparePythonCode = (task: PythonCode, dispatch: Dispatch, render: Render): Launch => ({
  how: 'python',
  callable: task.callable,
  source: task.source,
  largeInputs: largeInputsOf(dispatch),
  kwargs: {
    // Of a mapped group the function may leave arguments out: it finds them in its context
    ...(dispatch.task.map && dispatch.mapItem),
    ...resultsOf(dispatch),
    ...Object.fromEntries(
      Object.entries(task.args).map(([name, value]) => [name, renderAll(render, `args.${name}`, value)]),
    ),
  },
});

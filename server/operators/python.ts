import type { PythonTaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, XComValue } from '#sdk/protocol.ts';
import type { Launch, Prepare, Render } from './launch.ts';
import { findXComs } from '#sdk/xcom-values.ts';
import { isLargeInput, resultsOf } from './inputs.ts';
import { renderAll } from './render-all.ts';

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

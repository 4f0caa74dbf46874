/** Sensors: what is looked for, with templates rendered, and who looks. */
import type { SensorTaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { SensorTarget } from '#sdk/waiting-spec.ts';
import type { Launch, Prepare, Render } from './launch.ts';
import { inputsOf } from './inputs.ts';
import { largeInputsOf } from './python.ts';
import { renderAll } from './render-all.ts';

export { renderAll as renderJson } from './render-all.ts';

export const prepareSensor: Prepare<'sensor'> = (task, dispatch, render): Launch => {
  if (task.for.typescript) return { how: 'node' };
  const { python } = task.for;
  if (python) {
    const args = renderAll(render, 'for.python.args', python.args) as { [name: string]: Json };
    const { callable, source } = python;
    const kwargs = { ...inputsOf(dispatch), ...args };
    return { how: 'python', callable, source, kwargs, largeInputs: largeInputsOf(dispatch) };
  }
  const target = renderTarget(task, render);
  const time = timeOf(target, dispatch);
  if (time) target.time = time.toISOString();
  return { how: 'look', target, connections: dispatch.connections };
};

/** Ids of connections, states and method names are no templates: nothing in them looks like one. */
export const renderTarget = (task: Pick<SensorTaskSpec, 'for'>, render: Render): SensorTarget =>
  renderAll(render, 'for', task.for as unknown as Json) as unknown as SensorTarget;

/** When it is time, of a sensor for a time. Throws what is wrong with it. */
export function timeOf(target: SensorTarget, { run }: Pick<Dispatch, 'run'>): Date | null {
  if (target.time !== undefined) return instantOf(target.time, 'for.time');
  if (target.delta === undefined) return null;
  const from = run.dataIntervalEnd ?? run.startedAt ?? new Date().toISOString();
  return new Date(Date.parse(from) + target.delta * 1000);
}

const HAS_OFFSET = /(Z|[+-]\d\d:?\d\d)$/i;
const DATE_ONLY = /^\d{4}-\d\d-\d\d$/;

/** UTC where the text does not say otherwise. */
export function instantOf(text: string, field: string): Date {
  const written = text.trim();
  const complete = DATE_ONLY.test(written) || HAS_OFFSET.test(written) ? written : `${written}Z`;
  const at = new Date(complete);
  if (Number.isNaN(at.getTime()))
    throw new Error(`${field}: '${written.slice(0, 100)}' is not a time. Write ISO 8601: 2026-01-31T06:00:00Z.`);
  return at;
}

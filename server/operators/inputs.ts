import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import { findXCom as findWhole, findXComs } from '#sdk/xcom-values.ts';

/** Bytes of JSON that a template has room for. */
const MOST_IN_TEMPLATE = 2 ** 20;

const largeBytes = (xcoms: readonly XComValue[], taskId: string, key: string): number =>
  findXComs(xcoms, taskId, key).reduce((sum, { artifact }) => sum + (artifact?.bytes ?? 0), 0);

/** The result of a task, or the list of a mapped task's results; undefined where there is none. Throws when it is too large for a template. */
export function findXCom(xcoms: readonly XComValue[], taskId: string, key: string): Json | undefined {
  const bytes = largeBytes(xcoms, taskId, key);
  if (bytes > MOST_IN_TEMPLATE)
    throw new Error(
      `the result '${key}' of task '${taskId}' has ${(bytes / 2 ** 20).toFixed(1)} MiB, too much for a template; take it as an input of a python or typescript task`,
    );
  return findWhole(xcoms, taskId, key);
}

/** Whether an input is too large for a template or an environment variable. */
export const isLargeInput = (dispatch: Dispatch, name: string, most = MOST_IN_TEMPLATE): boolean => {
  const input = dispatch.task.inputs[name];
  return input !== undefined && largeBytes(dispatch.xcoms, input.task, input.key) > most;
};

/** Arguments of a mapped instance, and results of other tasks that are arguments of this one; without the large ones. */
export const inputsOf = (dispatch: Dispatch, most = MOST_IN_TEMPLATE): { [name: string]: Json } => ({
  ...dispatch.mapItem,
  ...resultsOf(dispatch, most),
});

/** Results of other tasks that are arguments of this one; without the large ones. */
export function resultsOf(dispatch: Dispatch, most = MOST_IN_TEMPLATE): { [name: string]: Json } {
  const inputs = Object.entries(dispatch.task.inputs)
    .filter(([name]) => !isLargeInput(dispatch, name, most))
    .map(([name, { task, key, list }]) => [name, findWhole(dispatch.xcoms, task, key) ?? (list ? [] : null)]);
  return Object.fromEntries(inputs) as { [name: string]: Json };
}

/** What a run was made for, by asset: `triggering_asset_events` of a template. */
export function assetEventsOf({ assetEvents = [] }: Dispatch['run']): { [asset: string]: Json } {
  const found: { [asset: string]: Json[] } = {};
  for (const { asset, at, extra, source } of assetEvents)
    (found[asset] ??= []).push({
      asset,
      timestamp: at,
      extra,
      source_dag_id: source?.dagId ?? null,
      source_task_id: source?.taskId ?? null,
      source_run_id: source?.runKey ?? null,
      source_map_index: source?.mapIndex ?? null,
    });
  return found;
}

import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';

/** The result of a task, or the list of a mapped task's results; undefined where there is none. */
export function findXCom(xcoms: readonly XComValue[], taskId: string, key: string): Json | undefined {
  const found = xcoms.filter((xcom) => xcom.taskId === taskId && xcom.key === key);
  if (found.some((xcom) => xcom.mapIndex >= 0))
    return found.sort((a, b) => a.mapIndex - b.mapIndex).map((xcom) => xcom.value);
  return found[0]?.value;
}

/** Arguments of a mapped instance, and results of other tasks that are arguments of this one. */
export const inputsOf = (dispatch: Dispatch): { [name: string]: Json } => ({
  ...dispatch.mapItem,
  ...resultsOf(dispatch),
});

/** Results of other tasks that are arguments of this one. */
export function resultsOf(dispatch: Dispatch): { [name: string]: Json } {
  const inputs = Object.entries(dispatch.task.inputs).map(([name, { task, key, list }]) => [
    name,
    findXCom(dispatch.xcoms, task, key) ?? (list ? [] : null),
  ]);
  return Object.fromEntries(inputs) as { [name: string]: Json };
}

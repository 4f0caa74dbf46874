import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import type { TemplateContext } from './render-template.ts';

/** The result of a task, or the list of a mapped task's results; null where there is none. */
export function findXCom(xcoms: XComValue[], taskId: string, key: string): Json {
  const found = xcoms.filter((xcom) => xcom.taskId === taskId && xcom.key === key);
  if (found.some((xcom) => xcom.mapIndex >= 0))
    return found.sort((a, b) => a.mapIndex - b.mapIndex).map((xcom) => xcom.value);
  return found[0]?.value ?? null;
}

/** Arguments of a mapped instance, and results of other tasks that are arguments of this one. */
export const inputsOf = (dispatch: Dispatch): { [name: string]: Json } => ({
  ...dispatch.mapItem,
  ...resultsOf(dispatch),
});

/** Results of other tasks that are arguments of this one. */
export function resultsOf(dispatch: Dispatch): { [name: string]: Json } {
  const inputs = Object.entries(dispatch.task.inputs).map(([name, { task, key, list }]) => {
    const value = findXCom(dispatch.xcoms, task, key);
    return [name, list && value === null ? [] : value] as const;
  });
  return Object.fromEntries(inputs);
}

const isoUtc = (time: string) => new Date(time).toISOString();
/** As Python prints it: `2026-01-02T03:04:05+00:00`. */
const timestamp = (time: string) => isoUtc(time).replace(/(\.000)?Z$/, '+00:00');
const digits = (time: string) => isoUtc(time).slice(0, 19).replace(/[-:]/g, '');

/** The names of a template. Those that need a logical date are missing where the run has none. */
export function templateContext(dispatch: Dispatch): TemplateContext {
  const { run } = dispatch;
  const { logicalDate } = run;
  const time = (value: string | null) => (value === null ? null : timestamp(value));
  const ti = {
    dag_id: dispatch.dagId,
    task_id: dispatch.taskId,
    run_id: run.runKey,
    try_number: dispatch.tryNumber,
    map_index: dispatch.mapIndex,
    xcom_pull: (...args: unknown[]) => xcomPull(dispatch.xcoms, args),
  };
  const dates = {
    logical_date: time(logicalDate),
    data_interval_start: time(run.dataIntervalStart),
    data_interval_end: time(run.dataIntervalEnd),
  };
  return {
    ...dates,
    ...(logicalDate !== null && {
      ds: isoUtc(logicalDate).slice(0, 10),
      ds_nodash: digits(logicalDate).slice(0, 8),
      ts: timestamp(logicalDate),
      ts_nodash: digits(logicalDate),
    }),
    params: run.params,
    var: { value: dispatch.variables },
    conn: dispatch.connections,
    conf: run.conf,
    inputs: inputsOf(dispatch),
    map_item: dispatch.mapItem,
    map_index: dispatch.mapIndex,
    run_id: run.runKey,
    dag_id: dispatch.dagId,
    task_id: dispatch.taskId,
    dag: { dag_id: dispatch.dagId },
    task: { task_id: dispatch.taskId },
    dag_run: { ...dates, run_id: run.runKey, run_type: run.kind, conf: run.conf, start_date: time(run.startedAt) },
    ti,
    task_instance: ti,
  };
}

/** `ti.xcom_pull('task')`, `ti.xcom_pull(task_ids=['a', 'b'], key='rows')`. */
function xcomPull(xcoms: XComValue[], args: unknown[]): Json {
  const last = args.at(-1);
  const named = (typeof last === 'object' && last !== null && !Array.isArray(last) ? last : {}) as {
    [name: string]: unknown;
  };
  const positional = last === named ? args.slice(0, -1) : args;
  const taskIds = positional[0] ?? named['task_ids'];
  const key = positional[1] ?? named['key'] ?? 'return_value';
  if (typeof key !== 'string') throw new Error('key of ti.xcom_pull must be a string');
  if (typeof taskIds === 'string') return findXCom(xcoms, taskIds, key);
  if (Array.isArray(taskIds)) return taskIds.map((taskId) => findXCom(xcoms, String(taskId), key));
  throw new Error("ti.xcom_pull needs the id of a task: ti.xcom_pull('extract')");
}

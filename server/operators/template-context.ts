import type { Dispatch } from '#sdk/protocol.ts';
import { DateTime } from './jinja/date-time.ts';
import { MACROS } from './jinja/macros.ts';
import { fromJson, Record, type Value } from './jinja/values.ts';
import type { TemplateContext } from './render-template.ts';
import { assetEventsOf, inputsOf } from './inputs.ts';
import { connectionsOf, variablesOf, xcomPull } from './template-values.ts';

type Names = { readonly [name: string]: () => Value | undefined };
const date = (iso: string | null | undefined): Value => (iso == null ? null : DateTime.fromIso(iso));

/** Those that need a logical date are missing where the run has none. */
function dateNames({ run }: Dispatch): Names {
  const { logicalDate } = run;
  if (logicalDate === null) return {};
  const format = (code: string) => () => DateTime.fromIso(logicalDate).format(code);
  const iso = () => DateTime.fromIso(logicalDate).iso();
  return {
    ds: format('%Y-%m-%d'),
    ds_nodash: format('%Y%m%d'),
    ts: iso,
    ts_nodash: format('%Y%m%dT%H%M%S'),
    ts_nodash_with_tz: () => iso().replace(/[-:]/g, ''),
  };
}

function recordsOf(dispatch: Dispatch): Names {
  const { run, task } = dispatch;
  const times = {
    logical_date: () => date(run.logicalDate),
    data_interval_start: () => date(run.dataIntervalStart),
    data_interval_end: () => date(run.dataIntervalEnd),
  };
  const dag = () => new Record('DAG', { dag_id: () => dispatch.dagId }, `<DAG: ${dispatch.dagId}>`);
  const taskOf = () =>
    new Record(
      'Task',
      {
        task_id: () => task.taskId,
        dag_id: () => dispatch.dagId,
        kind: () => task.kind,
        owner: () => task.owner,
        queue: () => task.queue,
        retries: () => task.retries,
        upstream_task_ids: () => [...task.upstream],
        doc_md: () => task.docs,
      },
      `<Task: ${task.taskId}>`,
    );
  const dagRun = () =>
    new Record(
      'DagRun',
      {
        ...times,
        dag_id: () => dispatch.dagId,
        run_id: () => run.runKey,
        run_type: () => run.kind,
        conf: () => fromJson(run.conf),
        start_date: () => date(run.startedAt),
        triggering_user_name: () => run.triggeredBy,
      },
      `<DagRun ${dispatch.dagId} ${run.runKey}>`,
    );
  const ti = () =>
    new Record(
      'TaskInstance',
      {
        dag_id: () => dispatch.dagId,
        task_id: () => dispatch.taskId,
        run_id: () => run.runKey,
        try_number: () => dispatch.tryNumber,
        max_tries: () => dispatch.maxTries,
        map_index: () => dispatch.mapIndex,
        dag_run: dagRun,
        task: taskOf,
        xcom_pull: () => xcomPull(dispatch.xcoms),
      },
      `<TaskInstance: ${dispatch.dagId}.${dispatch.taskId} ${run.runKey}>`,
    );
  return { ...times, dag, task: taskOf, dag_run: dagRun, ti, task_instance: ti };
}

function valuesOf(dispatch: Dispatch): Names {
  const { run, previousSuccess: previous } = dispatch;
  return {
    params: () => fromJson(run.params),
    conf: () => fromJson(run.conf),
    inputs: () => fromJson(inputsOf(dispatch)),
    run_id: () => run.runKey,
    dag_id: () => dispatch.dagId,
    task_id: () => dispatch.taskId,
    map_item: () => fromJson(dispatch.mapItem),
    map_index: () => dispatch.mapIndex,
    try_number: () => dispatch.tryNumber,
    start_date: () => date(run.startedAt),
    test_mode: () => false,
    prev_data_interval_start_success: () => date(previous?.dataIntervalStart),
    prev_data_interval_end_success: () => date(previous?.dataIntervalEnd),
    prev_start_date_success: () => date(previous?.startedAt),
    prev_end_date_success: () => date(previous?.endedAt),
    triggering_asset_events: () => fromJson(assetEventsOf(run)),
    macros: () => MACROS,
    var: () => variablesOf(dispatch),
    conn: () => connectionsOf(dispatch),
  };
}

/** The names of a template. Each is made when a template asks for it, and once. */
export function templateContext(dispatch: Dispatch): TemplateContext {
  const dates = dateNames(dispatch);
  const ds = dates['ds_nodash'];
  const key = () => `${dispatch.dagId}__${dispatch.taskId}__${ds?.() as string}`;
  const names: Names = {
    ...recordsOf(dispatch),
    ...valuesOf(dispatch),
    ...dates,
    ...(ds && { task_instance_key_str: key }),
  };
  const made = new Map<string, Value | undefined>();
  return (name) => {
    if (!Object.hasOwn(names, name)) return undefined;
    if (!made.has(name)) made.set(name, names[name]?.());
    return made.get(name);
  };
}

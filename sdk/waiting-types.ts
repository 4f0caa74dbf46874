/** Types of what DAG authors write for tasks that wait. */
import type { CodeOptions } from './kubernetes-options.ts';
import type { TriggerDagFields } from './waiting-spec.ts';
import type { Json } from './protocol.ts';
import type { Done } from './run-task.ts';
import type { RunState, TaskState } from './states.ts';
import type { Duration, Inputs, JsonOf, NoReservedNames, TaskArgs, TaskOptions, TaskRef } from './task-types.ts';

/** What a sensor waits for: one of them. Every text is a template. */
export type SensorFor =
  /** ISO 8601; UTC without an offset. */
  | { time: string }
  /** After the end of the data interval; of a run without one, after its start. */
  | { delta: Duration }
  /** On the worker's machine; `*`, `?` and `**` as in a shell. */
  | { file: string | { path: string; minBytes?: number; unchangedFor?: Duration } }
  | { http: string | HttpOptions }
  /** Until the first cell of the first row is something true. */
  | { sql: { connection: string; query: string; parameters?: readonly Json[] } }
  /** Of the run with the same logical date: the tasks named, or the whole run. */
  | { task: string | OtherDagOptions }
  /** Until the asset is updated; with `since`, an update from then on counts, else one from the start of this run. */
  | { asset: string | { name: string; since?: string } }
  | {
      python:
        { callable: string; args?: { [name: string]: Json } } | { source: string; args?: { [name: string]: Json } };
    };

export interface HttpOptions {
  url?: string;
  /** Instead of a whole `url`: a connection, and the path below it. */
  connection?: string;
  path?: string;
  method?: 'GET' | 'HEAD' | 'POST';
  headers?: { [name: string]: string };
  body?: string;
  /** What is waited for: `200`, `'2xx'` (the default), or a list. */
  status?: number | string | readonly (number | string)[];
  /** What fails the look; all else means: not yet. */
  failStatus?: number | string | readonly (number | string)[];
  contains?: string;
  /** `{ 'job.state': 'done' }` */
  json?: { [path: string]: Json };
}

export interface OtherDagOptions {
  dagId: string;
  /** Default: the whole run. */
  taskIds?: string | readonly string[];
  /** How much earlier its logical date is than this run's: `'1d'` is yesterday's. */
  delta?: Duration | `-${string}`;
  /** The logical date itself. */
  at?: string;
  allowedStates?: readonly (TaskState | RunState)[];
  /** Default: none, for somebody may clear that task. */
  failedStates?: readonly (TaskState | RunState)[];
  skippedStates?: readonly (TaskState | RunState)[];
  /** Fail at once when there is no such DAG or task. */
  checkExistence?: boolean;
}

interface SensorTiming extends CodeOptions {
  /** From one look to the next; a minute when not given. */
  every?: Duration;
  /** Multiplier from one interval to the next. */
  pokeBackoff?: number;
  /** What an interval may grow to. */
  maxWait?: Duration;
  /** From the first look, over all tries; seven days when not given. */
  timeout?: Duration;
  /** Skipped instead of failed. */
  softFail?: boolean;
  /** What becomes of a look that fails. */
  pokeError?: 'fail' | 'ignore' | 'skip';
}
export interface SensorOptions extends SensorTiming {
  for: SensorFor;
  /** `deferred` (no worker is held) where the service can look itself, else `reschedule`. */
  mode?: 'poke' | 'reschedule' | 'deferred';
  inputs?: Inputs;
}
export interface CustomSensorOptions extends SensorTiming {
  /** `poke` keeps a worker and its memory; `reschedule`, the default, is free in between. */
  mode?: 'poke' | 'reschedule';
  inputs?: Inputs;
}

export interface TriggerDagOptions
  extends
    TaskOptions,
    Partial<Pick<TriggerDagFields, 'conf' | 'runKey' | 'logicalDate' | 'whenExists' | 'wait' | 'cancelChild'>> {
  dagId: string;
  inputs?: Inputs;
  allowedStates?: readonly RunState[];
  failedStates?: readonly RunState[];
  every?: Duration;
  timeout?: Duration | null;
}

export interface ApprovalOptions extends TaskOptions {
  /** What is to be decided. Templated. */
  subject: string;
  /** Markdown. Templated. */
  body?: string;
  /** Default: approve, reject. */
  options?: readonly string[];
  /** Which of them say no; `reject` when not given. */
  rejections?: readonly string[];
  /** JSON Schema of an object: what is filled in with the decision. */
  form?: { [key: string]: Json };
  users?: readonly string[];
  roles?: readonly ('editor' | 'admin')[];
  timeout?: Duration;
  /** The option that is taken when the time is over. */
  default?: string;
  /** What a rejection does: `skip` skips what comes after, `fail` is the default. */
  onReject?: 'fail' | 'skip';
  /** Which direct downstream tasks go on after an option; ids, for those tasks are built later. After others all do. */
  branches?: { [option: string]: readonly string[] };
  inputs?: Inputs;
}
export interface ApprovalResult {
  decision: string;
  /** Null: nobody, its time was over. */
  by: string | null;
  form: { [key: string]: Json };
  note: string | null;
}

type Found<Out> = Out extends Done<infer T> ? T : Out extends false | null | undefined | void | true ? null : Out;

export interface WaitingBuilder<Params, Item = {}> {
  /** Waits until something is there. */
  sensor(taskId: string, options: SensorOptions): TaskRef<Json>;
  /** Waits until the function returns something else than false: `done(value)` gives a result. */
  sensor<Out, In extends Inputs = {}>(
    taskId: string,
    options: CustomSensorOptions & { inputs?: In & NoReservedNames },
    look: (args: TaskArgs<In, Params, {}, Item>) => Out,
  ): TaskRef<JsonOf<Found<Awaited<Out>>>>;
  /** Starts a run of a DAG; with `wait` it ends when that run does. */
  triggerDag(taskId: string, options: TriggerDagOptions): TaskRef<{ dagId: string; runId: string; runKey: string }>;
  /** Waits for a person's decision. */
  approval(taskId: string, options: ApprovalOptions): TaskRef<ApprovalResult>;
}

/** Types of what DAG authors write: how a task's result becomes the argument of the next. */
import type { AssetEmitter } from './asset-events.ts';
import type { Assets } from './asset-expression.ts';
import type { ConcurrencyStrategy, DagSpecInput, Overlap, TriggerRule, WeightRule } from './dag-spec.ts';
import type { FlowBuilder, ResultOf, Upstream } from './flow-types.ts';
import type { Each, EachOf } from './lists.ts';
import type { CodeOptions, ExecutorOptions, KubernetesBuilder } from './kubernetes-options.ts';
import type { BashOptions, HttpOptions, PythonOptions, SqlOptions } from './operator-types.ts';
import type { DagNotifyOptions, DeadlineOptions, NotifyOptions } from './notify-options.ts';
import type { ParamsResult, ParamsSchema } from './params-types.ts';
import type { ConnectionValue, Json, RunContext } from './protocol.ts';
import type { WaitingBuilder } from './waiting-types.ts';
import type { RetryAction } from './retry-rules.ts';
import type { TaskCause } from './states.ts';

/** Seconds, or `'30s'`, `'5m'`, `'2h'`, `'1d'`, or ISO 8601 (`'PT30S'`). */
export type Duration = number | `${number}${'s' | 'm' | 'h' | 'd'}` | `P${string}`;
/** Bytes, or `'512Mi'`, `'2Gi'`. */
export type Bytes = number | `${number}${'Ki' | 'Mi' | 'Gi'}`;

declare const OUTPUT: unique symbol;

/** A task of the DAG being built; used as an input or in `after` it makes an edge of the graph. */
export interface TaskRef<Out = unknown> {
  readonly taskId: string;
  readonly key: string;
  /** Another result of the same task: what it pushed with `ctx.ti.xcomPush(key, value)`. */
  xcom<T = Json>(key: string): TaskRef<T>;
  readonly [OUTPUT]?: Out;
}

/** What a value looks like after its way through JSON: a Date is a string, undefined is null, functions are gone. */
export type JsonOf<T> = [T] extends [undefined | void] ? null : Jsonified<T>;
type Jsonified<T> = T extends Json | undefined
  ? T
  : T extends { toJSON(): infer J }
    ? J
    : T extends (...args: never[]) => unknown
      ? never
      : T extends object
        ? { [K in keyof T]: Jsonified<T[K]> }
        : T extends void
          ? null
          : unknown extends T
            ? Json
            : never;
export interface Inputs {
  [name: string]: TaskRef | Each;
}
type OutputOf<Ref> = Ref extends TaskRef<infer Out> ? Out : never;

/** With another trigger rule a task may start although an input was never made: then it is null. */
type MaybeMissing<Out, Options> = Options extends { triggerRule: infer Rule }
  ? Rule extends 'all_success'
    ? Out
    : Out | null
  : Out;
export interface TaskContext {
  readonly run: RunContext;
  readonly ti: {
    readonly dagId: string;
    readonly taskId: string;
    readonly mapIndex: number;
    readonly tryNumber: number;
    readonly maxTries: number;
    /** Of this launch of the try, and of no other: what something outside may be asked under twice and does once. */
    readonly dispatchId: string;
    /** Publishes a further result, read with `task.xcom(key)` or in a template with `ti.xcom_pull(task, key)`. */
    xcomPush(key: string, value: unknown): void;
  };
  readonly log: { info(...parts: unknown[]): void; warn(...parts: unknown[]): void; error(...parts: unknown[]): void };
  /** Aborted when the run is cancelled or the time limit is reached. */
  readonly signal: AbortSignal;
  /** The worker's environment. */
  readonly env: { readonly [name: string]: string | undefined };
  /** The value of a variable that the task names in `variables`. */
  variable(key: string): string;
  /** A connection that the task names in `connections`. */
  connection(id: string): ConnectionValue;
  readonly assets: AssetEmitter;
  /** The path of one of the DAG's `files`, as named there. */
  file(name: string): string;
}

type InputArgs<In, Options> =
  In extends EachOf<infer Row, infer Fixed>
    ? Readonly<Row> & InputArgs<Fixed, Options>
    : {
        readonly [Name in keyof In]: In[Name] extends Each<infer Item>
          ? Item
          : MaybeMissing<OutputOf<In[Name]>, Options>;
      };
/** `Item` holds the arguments of the mapped group around. */
export type TaskArgs<In, Params, Options, Item = {}> = Item &
  InputArgs<In, Options> & {
    readonly params: Params;
    readonly conf: { readonly [key: string]: Json };
    readonly ctx: TaskContext;
  };

/** Names that every task function gets, so no input may have them. */
export type NoReservedNames = { [Name in 'params' | 'conf' | 'ctx']?: never };

/** What a failure must meet, all of it, and what follows. A list asks for any of its entries. */
export interface RetryRuleOptions {
  exitCode?: number | readonly number[];
  /** Class of the error or of what it inherits from: `'TimeoutError'`, `'requests.exceptions.Timeout'`. */
  exception?: string | readonly string[];
  /** A regular expression that occurs in the failure's message. Without look-around and references to groups. */
  message?: string | null;
  cause?: TaskCause | readonly TaskCause[];
  /** `retry`: if there are tries left. `skip`: the task ends as skipped. */
  action: RetryAction;
  /** With `retry`: instead of the task's own delay. */
  delay?: Duration | null;
}
/** `'params.customer'`, or several: values that runs are told apart by. */
export interface ConcurrencyKey {
  key: string | readonly string[];
  /** Most at once for each value; 1 when not given. */
  limit?: number;
}
/** Most starts in a stretch of time: `{ limit: 10, per: '1m' }`. */
export interface RateLimit {
  limit: number;
  per: Duration;
  /** One rate for each value of these. */
  key?: string | readonly string[];
  /** Tasks that give the same name share one rate, across DAGs. */
  name?: string | null;
}

/** What a DAG may preset for all of its tasks. */
export interface TaskDefaults extends CommonDefaults, ExecutorOptions {}
interface CommonDefaults {
  /** Further tries after the first. */
  retries?: number;
  retryDelay?: Duration;
  /** Multiplier from one delay to the next; 1 is constant. */
  retryBackoff?: number;
  maxRetryDelay?: Duration | null;
  /** The first that holds for a failure decides; without one it is tried again while there are retries. */
  retryRules?: readonly RetryRuleOptions[];
  /** Further tries after failures of the infrastructure, not counted as `retries`; 3 unless given. */
  infraRetries?: number;
  executionTimeout?: Duration | null;
  queue?: string;
  /** Higher goes first within a queue and a pool. */
  priority?: number;
  /** Whose priorities count: the task's own (absolute), or with those of all tasks down- or upstream of it. */
  weightRule?: WeightRule;
  /** A limit shared by DAGs: see `millrace pool`. */
  pool?: string | null;
  /** How many of the pool's slots each instance takes. */
  poolSlots?: number;
  /** Most instances of the task at once, in all runs of the DAG. */
  maxActiveTis?: number | null;
  /** Most mapped instances of the task at once in one run. */
  maxActiveTisPerRun?: number | null;
  concurrencyKey?: ConcurrencyKey | null;
  rateLimit?: RateLimit | null;
  memoryLimit?: Bytes | null;
}
export interface TaskOptions extends CommonDefaults {
  /** Who is told about this task. */
  notify?: NotifyOptions | readonly NotifyOptions[];
  /** Tasks to wait for without reading their results. */
  after?: Upstream | readonly Upstream[];
  triggerRule?: TriggerRule;
  owner?: string | null;
  docs?: string | null;
  /** Keys of variables for `ctx.variable(key)`; those in templates need no mention. */
  variables?: readonly string[];
  /** Ids of connections for `ctx.connection(id)`; those in templates need no mention. */
  connections?: readonly string[];
  /** Names of the assets that it has updated when it succeeds; DAGs with a schedule of these assets follow. */
  outlets?: string | readonly string[];
  /** For people, instead of the id. */
  displayName?: string | null;
  /** Most instances of a mapped task; 1024 when not given. */
  mapLimit?: number;
  /** Template of an instance's name for people, over its arguments. */
  mapName?: string;
}
/** The `task`, `bash`, … that the build function of `dag()` is given. */
export interface DagBuilder<Params, Item = {}>
  extends FlowBuilder<Params, Item>, WaitingBuilder<Params, Item>, KubernetesBuilder {
  /** A TypeScript function. `inputs` are other tasks, by the name of the argument that gets their result. */
  task<Out>(taskId: string, run: (args: TaskArgs<{}, Params, {}, Item>) => Out): TaskRef<JsonOf<Awaited<Out>>>;
  task<In extends Inputs | EachOf, Out>(
    taskId: string,
    inputs: In & NoReservedNames,
    run: (args: TaskArgs<In, Params, {}, Item>) => Out,
  ): ResultOf<In, Out>;
  task<In extends Inputs | EachOf, Options extends CodeOptions, Out>(
    taskId: string,
    inputs: In & NoReservedNames,
    options: Options,
    run: (args: TaskArgs<In, Params, Options, Item>) => Out,
  ): ResultOf<In, Out>;
  /** A shell command; its result is the last line it prints. */
  bash<In extends Inputs | EachOf>(taskId: string, options: BashOptions & { inputs: In }): ResultOf<In, string>;
  bash(taskId: string, options: BashOptions): TaskRef<string>;
  /** A Python function of a file beside the DAG, or inline source; its result is what it returns. */
  python<Out = Json>(taskId: string, options: PythonOptions): TaskRef<Out>;
  /** A request to an HTTP service; its result is (a part of) the answer. */
  http(taskId: string, options: HttpOptions & { result: 'status' }): TaskRef<number>;
  http(taskId: string, options: HttpOptions & { result: 'text' }): TaskRef<string>;
  http(taskId: string, options: HttpOptions & { result: 'headers' }): TaskRef<{ [name: string]: string }>;
  http(taskId: string, options: HttpOptions & { result: 'none' }): TaskRef<null>;
  http<Out = Json>(taskId: string, options: HttpOptions): TaskRef<Out>;
  /** Statements for a database; its result is the rows of the last one that gives any. `row_count` is a further result. */
  sql(taskId: string, options: SqlOptions & { result: 'count' }): TaskRef<number>;
  sql(taskId: string, options: SqlOptions & { result: 'csv' | 'ndjson' }): TaskRef<string>;
  sql(taskId: string, options: SqlOptions & { result: 'none' }): TaskRef<null>;
  sql<Value = Json>(taskId: string, options: SqlOptions & { result: 'value' }): TaskRef<Value | null>;
  sql<Row = { [column: string]: Json }>(taskId: string, options: SqlOptions & { result: 'row' }): TaskRef<Row | null>;
  sql<Row = { [column: string]: Json }>(taskId: string, options: SqlOptions): TaskRef<Row[]>;
  /** Does nothing: a place where edges meet. */
  empty(taskId: string, options?: TaskOptions): TaskRef<null>;
}

export type TimeScheduleInput = string | readonly string[] | { every: Duration } | { dates: readonly string[] };
export type Schedule = TimeScheduleInput | { assets: Assets; or?: TimeScheduleInput };

export interface RetentionOptions {
  /** After their end. */
  runs?: Duration | 'forever' | null;
  /** So many of the newest runs stay, however old. */
  keepLast?: number;
  /** Logs of runs that stay. */
  logs?: Duration | 'forever' | null;
  /** Results of runs that stay. */
  results?: Duration | 'forever' | null;
  /** Of all logs of the DAG, such as `'10Gi'`: the oldest go first. */
  logBytes?: number | string | null;
}

export interface DagOptions<Schema extends ParamsSchema = ParamsSchema> extends TaskDefaults {
  description?: string;
  /** Markdown. */
  docs?: string;
  owner?: string;
  tags?: readonly string[];
  /**
   * Cron in five or six fields, a preset such as `'@daily'`, `'@once'` or `'@continuous'`, several crons, `{ every: '15m' }`,
   * `{ dates: ['2026-01-31'] }`, or `{ assets: { all: ['a', 'b'] }, or: '@daily' }`.
   */
  schedule?: Schedule | null;
  /** IANA name; UTC when not given. */
  timezone?: string;
  /** The first logical date, in `timezone` unless it says otherwise: `'2026-01-01'`. */
  start?: string;
  end?: string;
  /** Run every slot missed since `start`, not only the newest. */
  catchup?: boolean;
  /** A run covers the time from one slot to the next, starts at its end, and has its start as logical date. */
  dataIntervals?: boolean;
  /** What becomes of a scheduled run that is due while one before it is queued or running; `allow` when not given. */
  overlap?: Overlap;
  maxActiveRuns?: number;
  /** In one run. */
  maxActiveTasks?: number;
  /** So many failed runs in a row pause the DAG; 0: never. */
  maxConsecutiveFailedRuns?: number;
  /** Counted from a run's start: then it ends as failed, and what has not ended is skipped. */
  dagrunTimeout?: Duration | null;
  /** The first task that fails for good ends the run as failed, and what has not ended is skipped. */
  failFast?: boolean;
  /** In all runs together. */
  maxActiveTasksPerDag?: number | null;
  /** Runs with equal values count together: how many at once, and what happens to those beyond. */
  concurrency?: (ConcurrencyKey & { strategy?: ConcurrencyStrategy }) | null;
  /** `z.object({ … })`. */
  params?: Schema;
  pausedOnCreation?: boolean;
  /** How long runs are kept, `{ runs: '90d', keepLast: 50, logs: '30d', logBytes: '10Gi' }`; as the service says when not given. */
  retention?: RetentionOptions | null;
  /** Who is told about runs, or with `tasks` about these tasks. */
  notify?: DagNotifyOptions | readonly DagNotifyOptions[];
  /** By when a run must have ended. */
  deadline?: DeadlineOptions | readonly DeadlineOptions[];
  /** Files that tasks read: relative to the DAG file (`*` allowed), or inside a package (`pkg/data/x.csv`). */
  files?: readonly string[];
}

/** A handler as the runner sees it. */
export type TaskHandler = (args: { [name: string]: unknown }) => unknown;

/** What `dag()` makes: plain data, so that a runner of another version can use it. */
export interface Dag {
  readonly millraceDag: 1;
  readonly spec: DagSpecInput;
  readonly files: readonly string[];
  readonly handlers: { readonly [taskId: string]: TaskHandler };
  readonly parseParams: ((params: unknown) => ParamsResult | Promise<ParamsResult>) | null;
}

/** The JSON document that the API owns: one DAG. Durations are seconds. Unknown keys are errors. */
import type { BranchFields, ShortCircuitFields } from './flow-spec.ts';
import type { ExecutorFields, PodFields, ResourceFields } from './kubernetes-spec.ts';
import type { MapSpec } from './map-spec.ts';
import type { HttpFields, SqlFields } from './operator-spec.ts';
import type { Deadline, NotifyRule, TaskNotifyRule } from './notify.ts';
import type { Json } from './protocol.ts';
import type { RetryRule } from './retry-rules.ts';
import type { ApprovalFields, SensorFields, TriggerDagFields } from './waiting-spec.ts';

export const TRIGGER_RULES = [
  'all_success',
  'all_failed',
  'all_done',
  'all_done_min_one_success',
  'all_skipped',
  'one_success',
  'one_failed',
  'one_done',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'always',
] as const;
export type TriggerRule = (typeof TRIGGER_RULES)[number];

export const WEIGHT_RULES = ['absolute', 'downstream', 'upstream'] as const;
export type WeightRule = (typeof WEIGHT_RULES)[number];
export const CONCURRENCY_STRATEGIES = ['queue', 'round_robin', 'cancel_in_progress', 'cancel_newest'] as const;
export type ConcurrencyStrategy = (typeof CONCURRENCY_STRATEGIES)[number];

/** Task instances whose runs have equal values at these paths count together. */
export interface ConcurrencyKeySpec {
  /** Dotted paths below the run's `params` or `conf`, such as `params.customer`. */
  key: string[];
  /** Most at once for each value. */
  limit: number;
}
/** Most starts in a stretch of time. */
export interface RateLimitSpec {
  limit: number;
  /** Seconds. */
  per: number;
  /** As of a concurrency key; empty: one rate for all runs. */
  key: string[];
  /** Tasks that give the same name share one rate, across DAGs; null: the task's own. */
  name: string | null;
}
/** Runs with equal values at these paths count together. */
export interface ConcurrencySpec extends ConcurrencyKeySpec {
  /** What happens to runs beyond the limit. */
  strategy: ConcurrencyStrategy;
}

export interface TaskSpecBase {
  taskId: string;
  upstream: string[];
  triggerRule: TriggerRule;
  /** Further tries after the first. */
  retries: number;
  /** Seconds before the first retry. */
  retryDelay: number;
  /** Multiplier from one delay to the next; 1 is constant. */
  retryBackoff: number;
  /** Seconds; null: a day. */
  maxRetryDelay: number | null;
  /** The first that holds for a failure decides; without one it is tried again. */
  retryRules: RetryRule[];
  /** Further tries after failures of the infrastructure; they do not count as `retries`. */
  infraRetries: number;
  notify: TaskNotifyRule[];
  /** Seconds a try may run; null: no limit. */
  executionTimeout: number | null;
  queue: string;
  /** Higher goes first within a queue and a pool. */
  priority: number;
  /** Whose priorities count: the task's own (absolute), or with those of all tasks down- or upstream of it. */
  weightRule: WeightRule;
  /** Null: none. */
  pool: string | null;
  poolSlots: number;
  /** Most instances of this task at once, in all runs of the DAG; null: no limit. */
  maxActiveTis: number | null;
  /** Most mapped instances of this task at once in one run; null: no limit. */
  maxActiveTisPerRun: number | null;
  concurrencyKey: ConcurrencyKeySpec | null;
  rateLimit: RateLimitSpec | null;
  /** Bytes of memory that a try may use; null: the worker's limit. */
  memoryLimit: number | null;
  owner: string | null;
  docs: string | null;
  /**
   * Arguments taken from other tasks' results: name → task and XCom key. Each such task is an upstream. TypeScript and Python get
   * them as (keyword) arguments, bash as environment variables: strings as they are, the rest as JSON. Never made: null, empty in bash.
   */
  inputs: { [name: string]: TaskInput };
  /** Keys of variables that its code asks for; those that its templates name are found by themselves. */
  variables: string[];
  /** Ids of connections that its code asks for, likewise. */
  connections: string[];
  /** Names of the assets that it has updated when it succeeds. */
  outlets: string[];
  /** The innermost group it stands in, with the groups around it: `load.eu`. */
  group: string | null;
  /** It runs once per item; null: once. */
  map: MapSpec | null;
  /** Prepares what the tasks below it need: whoever is cleared below it has it cleared too. */
  setup: boolean;
  /** Cleans up: it runs when everything above it has ended, however, if one of its setups succeeded. */
  teardown: TeardownSpec | null;
  /** What is written at the edge from an upstream: task id → text. */
  edgeLabels: { [upstreamTaskId: string]: string };
  /** For people, instead of the id. */
  displayName: string | null;
}

export interface TaskInput {
  task: string;
  /** XCom key. */
  key: string;
  /** The task is mapped, so this is a list of results, empty when there are none. Found by validation; absent where not so. */
  list?: true;
}
export interface TeardownSpec {
  /** Setups that it undoes; each is an upstream. */
  setups: string[];
  /** Its failure fails the run. Otherwise the run's end does not depend on it. */
  failsRun: boolean;
}

export interface EmptyTaskSpec extends TaskSpecBase {
  kind: 'empty';
}
export interface BashTaskSpec extends TaskSpecBase, ExecutorFields {
  kind: 'bash';
  /** Templated. Its last line of output is its result. Runs in an own directory; `MILLRACE_BUNDLE_DIR` is where the DAG's files lie. */
  command: string;
  /** Templated values. */
  env: { [name: string]: string };
  /** The try is skipped when the command exits with it; null: never. */
  skipOnExitCode: number | null;
}
export interface PythonTaskSpec extends TaskSpecBase, ExecutorFields {
  kind: 'python';
  /** `file.py:function`, relative to the DAG file; or null when `source` is given. */
  callable: string | null;
  /** Inline Python; its function `main`, if there is one, is called, else the source is the task. */
  source: string | null;
  /** Keyword arguments, templated in every string. */
  args: { [name: string]: Json };
}
export interface TypeScriptTaskSpec extends TaskSpecBase, ExecutorFields {
  kind: 'typescript';
}

export interface BranchTaskSpec extends TaskSpecBase, ExecutorFields, BranchFields {}
export interface ShortCircuitTaskSpec extends TaskSpecBase, ExecutorFields, ShortCircuitFields {}
/** Skips its direct downstream when a later run of the schedule is due already. */
export interface LatestOnlyTaskSpec extends TaskSpecBase {
  kind: 'latest_only';
}
/** Counts the instances of a mapped group, `<groupId>.__map__`. Made by validation: every entry task of the group waits for it. */
export interface MapTaskSpec extends TaskSpecBase {
  kind: 'map';
}
export interface HttpTaskSpec extends TaskSpecBase, ExecutorFields, HttpFields {}
export interface SqlTaskSpec extends TaskSpecBase, ExecutorFields, SqlFields {}
export interface PodTaskSpec extends TaskSpecBase, PodFields {}
export interface ResourceTaskSpec extends TaskSpecBase, ResourceFields {}
export interface SensorTaskSpec extends TaskSpecBase, ExecutorFields, SensorFields {}
export interface TriggerDagTaskSpec extends TaskSpecBase, TriggerDagFields {}
export interface ApprovalTaskSpec extends TaskSpecBase, ApprovalFields {}
export type TaskSpec =
  | EmptyTaskSpec
  | BashTaskSpec
  | PythonTaskSpec
  | TypeScriptTaskSpec
  | BranchTaskSpec
  | ShortCircuitTaskSpec
  | LatestOnlyTaskSpec
  | HttpTaskSpec
  | SqlTaskSpec
  | PodTaskSpec
  | ResourceTaskSpec
  | MapTaskSpec
  | SensorTaskSpec
  | TriggerDagTaskSpec
  | ApprovalTaskSpec;
export type TaskKind = TaskSpec['kind'];

export type TimeSchedule =
  /** One run, at startDate or as soon as the DAG is scheduled. */
  | { kind: 'once' }
  /** The next run begins when the last has ended. */
  | { kind: 'continuous' }
  /** Each has five or six fields or is a preset such as `@daily`, in `timezone`; several fire whenever one of them does. */
  | { kind: 'cron'; expressions: string[] }
  /** Seconds between runs, aligned to startDate. */
  | { kind: 'interval'; seconds: number }
  /** ISO 8601 in UTC, ascending. */
  | { kind: 'dates'; dates: string[] };

/** Which assets must have news: `all` of the parts, or `any` of them. */
export type AssetExpression = { asset: string } | { all: AssetExpression[] } | { any: AssetExpression[] };

export type ScheduleSpec = TimeSchedule | { kind: 'assets'; expression: AssetExpression; or: TimeSchedule | null };

export const OVERLAPS = ['allow', 'skip', 'buffer_one', 'cancel_running'] as const;
/** What becomes of a scheduled run that is due while one before it is queued or running. */
export type Overlap = (typeof OVERLAPS)[number];

/** Tasks that belong together. Its id holds those of the groups around it: `load.eu` stands in `load`. */
export interface GroupSpec {
  groupId: string;
  label: string | null;
  docs: string | null;
  /** All of its tasks run once per item, each copy by itself. */
  map: MapSpec | null;
}

/** How long what is of its runs is kept. What it does not say is as the service says. */
export interface RetentionSpec {
  /** Seconds after their end; null: as the service says. */
  runs: number | 'forever' | null;
  /** So many of the newest runs stay, however old. */
  keepLast: number;
  /** Logs of runs that stay; null: as the service says, at most as long as the runs. */
  logs: number | 'forever' | null;
  /** Results of runs that stay, likewise. */
  results: number | 'forever' | null;
  /** Bytes of text, of all logs of the DAG: the oldest go first. Null: any. */
  logBytes: number | null;
}

export interface DagSpec {
  specVersion: 1;
  dagId: string;
  description: string | null;
  docs: string | null;
  owner: string | null;
  tags: string[];
  schedule: ScheduleSpec | null;
  /** IANA name. */
  timezone: string;
  /** ISO 8601. */
  startDate: string | null;
  endDate: string | null;
  catchup: boolean;
  /** True: a run covers the time from one slot to the next, starts at its end, and has its start as logical date. */
  dataIntervals: boolean;
  overlap: Overlap;
  maxActiveRuns: number;
  /** In one run. */
  maxActiveTasks: number;
  /** So many failed runs in a row pause the DAG; 0: never. */
  maxConsecutiveFailedRuns: number;
  /** Seconds from its start after which a run ends as failed; null: no limit. */
  dagrunTimeout: number | null;
  /** The first task that fails for good ends the run as failed. */
  failFast: boolean;
  /** In all runs of the DAG together; null: no limit. */
  maxActiveTasksPerDag: number | null;
  concurrency: ConcurrencySpec | null;
  /** JSON Schema (2020-12) of the run's params, an object schema with defaults; null: none. */
  params: { [key: string]: Json } | null;
  pausedOnCreation: boolean;
  retention: RetentionSpec | null;
  groups: GroupSpec[];
  notify: NotifyRule[];
  deadline: Deadline[];
  tasks: TaskSpec[];
}

/** What people may write instead: defaults left out, durations as `'5m'`, a schedule as `'@daily'`. */
export interface DagSpecInput {
  dagId: string;
  specVersion?: 1;
  /** Any field of a task, for the tasks that do not say otherwise. */
  defaults?: { [field: string]: unknown };
  groups?: GroupSpecInput[];
  tasks: TaskSpecInput[];
  [field: string]: unknown;
}
export interface GroupSpecInput {
  groupId: string;
  /** What its entry tasks wait for. */
  upstream?: string | string[];
  /** As the DAG's, for the tasks of this group. */
  defaults?: { [field: string]: unknown };
  [field: string]: unknown;
}
export interface TaskSpecInput {
  taskId: string;
  kind: string;
  [field: string]: unknown;
}

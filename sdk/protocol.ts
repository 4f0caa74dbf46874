/**
 * What a runner and the API say to each other about one dispatch.
 * Both sides validate; times are ISO 8601 strings in UTC, JSON values are plain JSON.
 */
import type { TaskSpec } from './dag-spec.ts';
import type { RunKind, TaskCause } from './states.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A result of another task that this dispatch may read. */
export interface XComValue {
  taskId: string;
  mapIndex: number;
  key: string;
  /** Null when it is in `artifact`. */
  value: Json;
  /** A value too large for this message. */
  artifact?: ArtifactRef & { /** The file that the runner has fetched it into. */ path?: string };
}

/** Where a large result lies: by the sha256 of its JSON. */
export interface ArtifactRef {
  hash: string;
  bytes: number;
}

/** An asset was updated. */
export interface AssetEvent {
  asset: string;
  /** ISO 8601. */
  at: string;
  extra: { [key: string]: Json };
  /** What updated it; null: something outside. */
  source: { dagId: string; taskId: string; runKey: string; mapIndex: number } | null;
}

/** The run that a dispatch belongs to: the source of the template variables. */
export interface RunContext {
  runId: string;
  runKey: string;
  kind: RunKind;
  logicalDate: string | null;
  dataIntervalStart: string | null;
  dataIntervalEnd: string | null;
  /** As given by the trigger. */
  conf: { [key: string]: Json };
  /** Defaults of the DAG's params overlaid with conf. */
  params: { [key: string]: Json };
  startedAt: string | null;
  triggeredBy: string | null;
  /** What a run of kind `asset` was made for, oldest first. Absent where there is nothing, or the task cannot ask for it. */
  assetEvents?: AssetEvent[];
}

/** The newest successful run of the DAG before a run. */
export interface PreviousSuccess {
  dataIntervalStart: string | null;
  dataIntervalEnd: string | null;
  startedAt: string | null;
  endedAt: string | null;
}

/** A connection with its secrets, as a task gets it. */
export interface ConnectionValue {
  id: string;
  /** postgres, http, smtp, slack, webhook or generic. */
  kind: string;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  password: string | null;
  /** Open and secret settings together. */
  extra: { [key: string]: Json };
}

/** One launch of one try, handed to a runner. */
export interface Dispatch {
  /** Opaque: `<runId>.<taskIndex>.<mapIndex>.<uuid>`. Everything said about this launch carries it. */
  dispatchId: string;
  dagId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  maxTries: number;
  versionId: string;
  bundleHash: string | null;
  task: TaskSpec;
  run: RunContext;
  xcoms: XComValue[];
  /** Null: there is none, or the task does not ask for it. */
  previousSuccess: PreviousSuccess | null;
  /** Those that the task refers to and that are there, by key. */
  variables: { [key: string]: string };
  /** Those that the task refers to and that are there, by id. */
  connections: { [id: string]: ConnectionValue };
  /** Texts in it that no log, message or rendered field may show. */
  secrets: string[];
  /** Why a secret that is there could not be read, by `variable <key>` or `connection <id>`. */
  unreadable: { [what: string]: string };
  /** The arguments of a mapped instance, also of the mapped group it stands in; null: it is none. */
  mapItem: { [name: string]: Json } | null;
  /** Template of the instance's name for people, over its arguments; null: none. */
  mapName: string | null;
  /** Ids of the tasks that wait for it directly; only where it decides about them (`branch`, `short_circuit`). */
  downstream: string[];
  /** Tasks that wait: seconds since this instance's first start, over tries and reschedules, and how often it has looked. Null: others. */
  waiting: { elapsed: number; pokes: number } | null;
  /** Bearer token for this dispatch alone; null unless its claim asked for tokens. */
  token: string | null;
}

/**
 * `released`: handed back before user code started; costs no try.
 * `failed` may be retried by the engine unless `retryable` is false.
 * `deferred`: goes on waiting without a worker or a slot; the dispatch stays current and is reported again.
 * `rescheduled`: nothing yet, look again `afterSeconds` from now; the same try, by any worker.
 */
export type ReportOutcome = 'success' | 'failed' | 'skipped' | 'released' | 'deferred' | 'rescheduled';

/** What a deferred dispatch waits for. */
export interface Deferral {
  /** Who looks: a name that the triggerer knows. */
  kind: string;
  /** What to look for, with templates rendered. */
  spec: { [key: string]: Json };
  /** The first look; null: now. */
  dueAt: string | null;
  /** From now; null: it may wait for ever. */
  timeoutSeconds: number | null;
  /** An event of this name calls for a look before its time. */
  watchKey: string | null;
}

/** How a dispatch ended. */
export interface TaskReport {
  dispatchId: string;
  outcome: ReportOutcome;
  cause: TaskCause;
  /** For people: one or two lines. */
  message?: string | null;
  exitCode?: number | null;
  /** Facts behind the cause: signal, limits, peak memory, exception name, stack. */
  evidence?: { [key: string]: Json } | null;
  /** Results by key; the return value is `return_value`. `millrace.assets`: what its asset events say, by asset. */
  xcoms?: { [key: string]: Json } | null;
  /** Results too large for a message, which were uploaded before. `preview` is the beginning of the JSON. */
  artifacts?: { [key: string]: ArtifactRef & { preview: string } } | null;
  /** Of a task on a cluster, when its code began there: ISO 8601; null: never. */
  startedAt?: string | null;
  /** Bytes of log written for this dispatch: the end marker. */
  logBytes: number;
  retryable?: boolean;
  /** With `deferred`. */
  defer?: Deferral | null;
  /** With `rescheduled`. */
  afterSeconds?: number | null;
  /** Of a decision: those direct downstream tasks that go on, the others are skipped; null: all go on. */
  branch?: string[] | null;
  /** With an empty `branch`: everything below is skipped, whatever its trigger rules say. */
  skipAll?: boolean;
  /** Name of a mapped instance for people. */
  mapName?: string | null;
  /** What its templates came to, by field, without secrets. */
  rendered?: { [field: string]: string } | null;
}

/**
 * ACCEPTED: recorded. DUPLICATE: recorded before, with this outcome. FENCED: this dispatch is no longer the current one; kill the
 * child and forget it. UNKNOWN: the database has never heard of it.
 */
export type ReportAnswer = 'ACCEPTED' | 'DUPLICATE' | 'FENCED' | 'UNKNOWN';

/**
 * A piece of log, cut at a line's end. Each line is `<ISO time> <o|e|s> <text>\n`: o stdout, e stderr, s said by the system.
 * `offset` counts UTF-8 bytes from the start of this dispatch's log.
 */
export interface LogChunk {
  dispatchId: string;
  offset: number;
  body: string;
}

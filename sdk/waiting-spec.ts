/** What tasks that wait say beyond what every task says. Durations are seconds; texts are templates unless something else stands here. */
import type { Json } from './protocol.ts';
import type { RunState, TaskState } from './states.ts';

/** `deferred`: the service looks, no worker is held. `reschedule`: a worker looks, and is free in between. `poke`: a worker stays with it. */
export const SENSOR_MODES = ['poke', 'reschedule', 'deferred'] as const;
export type SensorMode = (typeof SENSOR_MODES)[number];

/** What becomes of a look that fails (not: of one that finds nothing). */
export const POKE_ERRORS = ['fail', 'ignore', 'skip'] as const;
export type PokeErrors = (typeof POKE_ERRORS)[number];

export interface FileTarget {
  /** On the machine of the worker; `*` and `?` stand for parts of a name, `**` for folders. */
  path: string;
  minBytes: number;
  /** Seconds for which it must not have changed. */
  unchangedFor: number;
}

export interface HttpTarget {
  /** Absolute; or null, with `connection`. */
  url: string | null;
  /** Id of a connection: its host, login and headers. Not a template. */
  connection: string | null;
  /** Below the connection's base. */
  path: string | null;
  method: 'GET' | 'HEAD' | 'POST';
  headers: { [name: string]: string };
  body: string | null;
  /** `'200'`, `'2xx'`: what is waited for. */
  status: string[];
  /** Statuses that fail the look; all others mean: not yet. */
  failStatus: string[];
  /** The body must have this text in it; null: any body. */
  contains: string | null;
  /** What must stand in the JSON of the body: `'data.0.state'` or `'$.data[0].state'` → value. */
  json: { [path: string]: Json };
}

export interface SqlTarget {
  /** Id of a postgres connection. Not a template. */
  connection: string;
  /** Done when the first cell of its first row is neither null, false, 0 nor an empty text. */
  query: string;
  /** For `$1`, `$2`. */
  parameters: Json[];
}

export interface TaskTarget {
  dagId: string;
  /** Empty: the whole run. */
  taskIds: string[];
  /** Seconds before this run's logical date; negative: after. */
  delta: number;
  /** The logical date itself; null: this run's, less `delta`. */
  at: string | null;
  allowedStates: (TaskState | RunState)[];
  failedStates: (TaskState | RunState)[];
  skippedStates: (TaskState | RunState)[];
  /** Fails at once when there is no such DAG or task. */
  checkExistence: boolean;
}

export interface AssetTarget {
  name: string;
  /** ISO 8601: updates from then on count; null: from the start of this run. */
  since: string | null;
}

/** One of them. */
export interface SensorTarget {
  /** ISO 8601; without an offset it is UTC. */
  time?: string;
  /** Seconds after the end of the data interval; of a run without one, after its start. */
  delta?: number;
  file?: FileTarget;
  http?: HttpTarget;
  sql?: SqlTarget;
  task?: TaskTarget;
  asset?: AssetTarget;
  /** A function of the TypeScript DAG file. */
  typescript?: true;
  /** As in a python task. It returns False or None, or something true: `Done(value)` for a result. */
  python?: { callable: string | null; source: string | null; args: { [name: string]: Json } };
}

export interface SensorFields {
  kind: 'sensor';
  for: SensorTarget;
  mode: SensorMode;
  /** Seconds from one look to the next. */
  pokeInterval: number;
  /** Multiplier from one interval to the next; 1 is constant. */
  pokeBackoff: number;
  /** Seconds that an interval may grow to. */
  maxWait: number;
  /** Seconds from the first look, over all tries. */
  timeout: number;
  /** Skipped instead of failed, when the time is over or a look fails. */
  softFail: boolean;
  pokeError: PokeErrors;
}

export const WHEN_EXISTS = ['error', 'skip', 'reset', 'use'] as const;

export interface TriggerDagFields {
  kind: 'trigger_dag';
  dagId: string;
  conf: { [key: string]: Json };
  /** Null: made from kind and time. */
  runKey: string | null;
  /** ISO 8601; null: none. */
  logicalDate: string | null;
  /** What to do when the run key is taken. `reset` clears that run, `use` takes it as it is. */
  whenExists: (typeof WHEN_EXISTS)[number];
  /** Until the run has ended. */
  wait: boolean;
  allowedStates: RunState[];
  failedStates: RunState[];
  /** Seconds from one look to the next; the run's end is noticed at once, this is the net. */
  pokeInterval: number;
  /** Seconds; null: no limit. */
  timeout: number | null;
  /** The run is cancelled when this task's run is. */
  cancelChild: boolean;
}

export interface ApprovalFields {
  kind: 'approval';
  /** What is to be decided, in a line. */
  subject: string;
  /** Markdown. */
  body: string | null;
  /** What may be chosen. Not templates. */
  options: string[];
  /** Those of the options that say no. */
  rejections: string[];
  /** JSON Schema (2020-12) of what is filled in with the decision, an object schema; null: nothing. */
  form: { [key: string]: Json } | null;
  /** Who may decide; both empty: every editor. */
  users: string[];
  roles: ('editor' | 'admin')[];
  /** Seconds; null: it waits for ever. */
  timeout: number | null;
  /** The option that is taken when the time is over; null: then it fails. */
  default: string | null;
  /** What a rejection does to this task: `skip` skips it, and with it what needs it. */
  onReject: 'fail' | 'skip';
  /** Which direct downstream tasks go on after an option, rejections too; after one that is not named here all do. */
  branches: { [option: string]: string[] };
}

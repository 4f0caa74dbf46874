import type { Dispatch, Json, LogChunk, TaskReport } from '#sdk/protocol.ts';
import type { TaskCause } from '#sdk/states.ts';
import type { ResultFile, ResultRoom } from './large-results.ts';
import type { HttpLaunch, SqlLaunch } from '../operators/launch.ts';

/** Why a task is stopped from outside. `fenced`: its dispatch is no longer the current one. */
export type StopReason = 'cancelled' | 'fenced' | 'timeout' | 'interrupted' | 'output_limit' | 'oom_killed';

/** How the packages of a bundle's requirements.txt come into a virtual environment. */
export interface PackageSettings {
  /** Of `pip install`. */
  pipArgs: string[];
  /** What pip sees besides what tasks see. */
  environment: { [name: string]: string };
  /** Bytes of environments that are kept. */
  limit: number;
}

export interface SupervisorConfig {
  /** In the environment of everything the supervisor starts: what carries it belongs to this supervisor. */
  supervisorId: string;
  /** Tasks get a folder of their own below it. */
  workDir: string;
  pythonCommand: string;
  packages: PackageSettings & { dir: string };
  /** Bytes; null: no limit. */
  maxTaskMemory: number | null;
  /** Bytes of log per try. */
  outputLimit: number;
  /** Bytes of one result as JSON. */
  resultLimit: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
  maxNodeChildren: number;
  /** Tasks after which a warm child is replaced. */
  childTasks: number;
  /** Bytes above which it is. */
  childMemory: number;
  /** What tasks see; nothing of the worker's own environment is added. */
  environment: { [name: string]: string };
}

export type ToSupervisor =
  | { op: 'configure'; config: SupervisorConfig }
  | { op: 'start'; dispatch: Dispatch; bundleDir: string | null }
  | { op: 'stop'; dispatchId: string; reason: StopReason }
  | { op: 'interrupt' }
  /** To be answered at once. */
  | { op: 'ping' };

export type FromSupervisor =
  | { type: 'log'; chunk: LogChunk }
  | { type: 'pong' }
  | { type: 'started'; dispatchId: string; pid: number | null }
  /** `files`: large results, to be uploaded and removed before the report goes out. */
  | { type: 'finished'; report: TaskReport; files?: { [key: string]: ResultFile } };

/** How the code of a task says it ended: the result of a Python process or of a node child. */
export interface TaskResult {
  outcome: 'success' | 'failed' | 'skipped' | 'rescheduled';
  cause?: TaskCause;
  /** With `rescheduled`: seconds until the next look. */
  afterSeconds?: number;
  message?: string;
  /** Class of the error. */
  name?: string;
  /** That class and those it inherits from, with their modules where known. */
  exceptions?: string[];
  stack?: string | null;
  retryable?: boolean;
  /** Facts behind a failure. */
  evidence?: { [key: string]: Json };
  xcoms?: { [key: string]: Json };
  /** Results that are too large for this. */
  files?: { [key: string]: ResultFile };
}

/** What a node child runs: a function of its bundle, or an operator. */
export interface NodeWork {
  dispatch: Dispatch;
  operator?: HttpLaunch | SqlLaunch;
  bundleDir?: string | null;
}

export type ToNodeChild =
  | { op: 'load'; bundleDir: string; env: { [name: string]: string }; room: ResultRoom }
  | ({ op: 'run' } & NodeWork)
  /** Gives back those that have not begun. */
  | { op: 'return'; dispatchIds: string[] };

export type FromNodeChild =
  | { type: 'ready' }
  | { type: 'load_failed'; message: string; stack: string | null }
  | { type: 'began'; dispatchId: string }
  | { type: 'print'; dispatchId: string; stream: 'o' | 'e'; text: string }
  | { type: 'ended'; dispatchId: string; result: TaskResult; ms: number }
  | { type: 'returned'; dispatchIds: string[] };

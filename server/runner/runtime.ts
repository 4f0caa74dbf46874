import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Launch } from '../operators/launch.ts';
import type { MemoryWatch } from './memory-watch.ts';
import type { SupervisorConfig } from './messages.ts';
import { DISPATCH_VARIABLE } from './process-group.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** Runs tasks of one way of launching. Every task given to it is ended, sooner or later. */
export interface Runtime<How extends Launch['how']> {
  start(task: SupervisedTask, launch: Extract<Launch, { how: How }>): void;
  /** No more output is read while the worker cannot take it. */
  setPaused(paused: boolean): void;
  /** Kills everything at once. */
  stop(): void;
}

export interface RuntimeDeps {
  config: SupervisorConfig;
  memory: MemoryWatch;
}

/** A task's own folder; `remove` may be called when it is over. */
export async function makeTaskDir(config: SupervisorConfig): Promise<{ path: string; remove(): void }> {
  const path = await mkdtemp(join(config.workDir, 'task-'));
  // What cannot be removed now goes with the work folder, when the supervisor ends.
  return { path, remove: () => void rm(path, { recursive: true, force: true }).catch(() => undefined) };
}

/** What a task finds in its environment besides the worker's. */
export function taskVariables({ dispatch, bundleDir }: SupervisedTask): { [name: string]: string } {
  const { run } = dispatch;
  return {
    [DISPATCH_VARIABLE]: dispatch.dispatchId,
    MILLRACE_DAG_ID: dispatch.dagId,
    MILLRACE_TASK_ID: dispatch.taskId,
    MILLRACE_RUN_ID: run.runKey,
    MILLRACE_TRY_NUMBER: String(dispatch.tryNumber),
    ...(dispatch.mapIndex >= 0 && { MILLRACE_MAP_INDEX: String(dispatch.mapIndex) }),
    ...(run.logicalDate !== null && { MILLRACE_LOGICAL_DATE: run.logicalDate }),
    ...(bundleDir !== null && { MILLRACE_BUNDLE_DIR: bundleDir }),
  };
}

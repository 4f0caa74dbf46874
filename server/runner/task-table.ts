import { rmSync } from 'node:fs';
import { missingDeclared } from '#sdk/named-values.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { prepareLaunch } from '../operators/prepare-launch.ts';
import { TemplateError } from '../operators/render-template.ts';
import { createShellRuntime } from './child-process.ts';
import { createLookRuntime } from './look-runtime.ts';
import { createMemoryWatch } from './memory-watch.ts';
import type { FromSupervisor, StopReason, SupervisorConfig } from './messages.ts';
import { createNodeRuntime } from './node-runtime.ts';
import { DISPATCH_VARIABLE, killTagged, SUPERVISOR_VARIABLE } from './process-group.ts';
import { createOperatorRuntime } from './operator-runtime.ts';
import { createPythonRuntime } from './python-runtime.ts';
import { createSupervisedTask, type SupervisedTask } from './supervised-task.ts';
import type { Ending } from './task-report.ts';

export interface TaskTable {
  start(dispatch: Dispatch, bundleDir: string | null): void;
  stopTask(dispatchId: string, reason: StopReason): void;
  interrupt(): void;
  setPaused(paused: boolean): void;
  /** Kills everything at once and leaves nothing behind. */
  stop(): void;
}

const PYTHON_WARM_MS = 500;

/** Runs dispatches. Never runs their code itself: its own event loop stays free. */
export function createTaskTable(config: SupervisorConfig, send: (message: FromSupervisor) => void): TaskTable {
  const tasks = new Map<string, SupervisedTask>();
  const memory = createMemoryWatch();
  const deps = { config, memory };
  const shell = createShellRuntime(deps);
  const python = createPythonRuntime(deps);
  const node = createNodeRuntime(deps);
  const operator = createOperatorRuntime(deps);
  const look = createLookRuntime();
  const runtimes = [shell, python, node, operator, look];
  const warm = setTimeout(python.warm, PYTHON_WARM_MS);

  let toSweep = new Set<string>();
  const sweep = (dispatchId: string) => {
    if (toSweep.size === 0)
      setImmediate(() => {
        const tags = toSweep;
        toSweep = new Set();
        // In the Pod of a task, the processes above this one are started with its dispatch id as well
        killTagged(tags, `${SUPERVISOR_VARIABLE}=${config.supervisorId}`);
      });
    toSweep.add(`${DISPATCH_VARIABLE}=${dispatchId}`);
  };
  const owner = { config, send, sweep, ended: (task: SupervisedTask) => void tasks.delete(task.dispatch.dispatchId) };

  const launch = (task: SupervisedTask) => {
    const missing = missingDeclared(task.dispatch);
    if (missing !== null) return task.end(valueMissing(missing));
    const prepared = prepareLaunch(task.dispatch, task.rendered);
    if (prepared.how === 'shell') shell.start(task, prepared);
    else if (prepared.how === 'python') python.start(task, prepared);
    else if (prepared.how === 'node') node.start(task, prepared);
    else if (prepared.how === 'operator') operator.start(task, prepared);
    else if (prepared.how === 'look') look.start(task, prepared);
    else task.end(nothingToDo(prepared.result));
  };

  return {
    start(dispatch, bundleDir) {
      if (tasks.has(dispatch.dispatchId)) return;
      const task = createSupervisedTask(dispatch, bundleDir, owner);
      tasks.set(dispatch.dispatchId, task);
      try {
        launch(task);
      } catch (error) {
        task.end(notPrepared(error));
      }
    },
    stopTask: (dispatchId, reason) => tasks.get(dispatchId)?.stop(reason),
    interrupt() {
      for (const task of [...tasks.values()]) task.stop('interrupted');
    },
    setPaused(paused) {
      for (const runtime of runtimes) runtime.setPaused(paused);
    },
    stop() {
      clearTimeout(warm);
      memory.stop();
      for (const runtime of runtimes) runtime.stop();
      killTagged(new Set([`${SUPERVISOR_VARIABLE}=${config.supervisorId}`]));
      rmSync(config.workDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const nothingToDo = (result: Json = null): Ending => ({
  how: 'exited',
  code: null,
  signal: null,
  result: { outcome: 'success', ...(result !== null && { xcoms: { return_value: result } }) },
  peakMemory: null,
  outOfMemory: false,
  lastLine: null,
});

const valueMissing = (message: string): Ending => ({
  how: 'not_started',
  cause: 'value_missing',
  message,
  retryable: false,
});

function notPrepared(error: unknown): Ending {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TemplateError && error.isMissingValue) return valueMissing(message);
  return error instanceof TemplateError
    ? { how: 'not_started', cause: 'template_error', message, retryable: false }
    : {
        how: 'not_started',
        cause: 'start_failed',
        message: `The task could not be prepared: ${message}`,
        retryable: false,
      };
}

/** What a fork server is told of a task. */
import type { Launch } from '../operators/launch.ts';
import type { ResultRoom } from './large-results.ts';
import { taskVariables } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

export type PythonLaunch = Extract<Launch, { how: 'python' }>;

export function requestOf(id: number, task: SupervisedTask, launch: PythonLaunch, cwd: string, room: ResultRoom) {
  const { dispatch, bundleDir, memoryLimit } = task;
  const { dagId, taskId, mapIndex, mapItem, tryNumber, maxTries, run, xcoms, variables, connections, unreadable } =
    dispatch;
  const { callable, source, kwargs, largeInputs } = launch;
  const about = {
    kind: dispatch.task.kind,
    dagId,
    taskId,
    mapIndex,
    mapItem,
    outlets: dispatch.task.outlets,
    tryNumber,
    maxTries,
    run,
    xcoms,
    variables,
    connections,
    unreadable,
  };
  const poke = pokeOf(dispatch);
  const env = taskVariables(task);
  const code = { callable, source, kwargs, largeInputs };
  return { op: 'run', id, ...about, ...code, poke, room, env, cwd, bundleDir, memoryLimit };
}

/** How often and how long a sensor's function is asked; null: it is no sensor. */
function pokeOf({ task, waiting }: SupervisedTask['dispatch']) {
  if (task.kind !== 'sensor') return null;
  const { mode, pokeInterval: interval, pokeBackoff: backoff, maxWait, timeout, softFail, pokeError: error } = task;
  const timeLeft = timeout - (waiting?.elapsed ?? 0);
  return { mode, interval, backoff, maxWait, timeout, softFail, error, timeLeft, pokes: waiting?.pokes ?? 0 };
}

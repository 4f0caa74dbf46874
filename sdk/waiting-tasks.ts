/** `sensor`, `triggerDag` and `approval` of a DAG's build function. */
import type { Inputs, TaskHandler, TaskOptions, TaskRef } from './task-types.ts';

type Fields = { [key: string]: unknown };
type Options = TaskOptions & { inputs?: Inputs; every?: unknown };
type Add = (taskId: string, kind: string, inputs: Inputs, options: TaskOptions, fields: Fields) => TaskRef<never>;

export function createWaitingTasks(add: Add, handlers: { [taskId: string]: TaskHandler }) {
  const withEvery =
    (kind: string) =>
    (taskId: string, { inputs, every, ...rest }: Options) =>
      add(taskId, kind, inputs ?? {}, rest, every === undefined ? {} : { pokeInterval: every });
  const builtIn = withEvery('sensor');

  const sensor = (taskId: string, options: Options, look?: TaskHandler) => {
    if (look === undefined) return builtIn(taskId, options);
    if (typeof look !== 'function')
      throw new Error(
        `sensor '${taskId}': the last argument must be the function that looks, or leave it out and give 'for'.`,
      );
    const ref = builtIn(taskId, { ...options, for: { typescript: true } } as Options);
    handlers[ref.taskId] = look;
    return ref;
  };
  return { sensor, triggerDag: withEvery('trigger_dag'), approval: withEvery('approval') };
}

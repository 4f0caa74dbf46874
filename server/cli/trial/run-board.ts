/** Where the tasks of a run stand, from its events. */
import type { EventRow } from '#db/queries/events.ts';
import { isFinishedTaskState, type RunState, type TaskState } from '#sdk/states.ts';

export interface Change {
  taskIndex: number;
  taskId: string;
  mapIndex: number;
  state: TaskState;
  tryNumber: number;
  cause: string | null;
  at: Date;
}

export interface InstanceView extends Change {
  /** When its present or last try began. */
  runningSince: Date | null;
}

export interface RunBoard {
  /** The changes of the event, in order. */
  apply(event: EventRow): Change[];
  runState(): RunState | null;
  /** Instances of a task: one, or those of its mapping. */
  instancesOf(taskIndex: number): InstanceView[];
  all(): InstanceView[];
}

/** Of these tasks, the first of the spec; others are not shown. */
export function createRunBoard(taskIds: readonly string[]): RunBoard {
  const tasks = taskIds.map(() => new Map<number, InstanceView>());
  let state: RunState | null = null;

  function change(to: Change): void {
    const instances = tasks[to.taskIndex];
    if (!instances) return;
    // A mapped task is one instance until its inputs are known, then there are those of its mapping.
    if (to.mapIndex >= 0) instances.delete(-1);
    const before = instances.get(to.mapIndex);
    const runningSince = to.state === 'running' ? to.at : (before?.runningSince ?? null);
    instances.set(to.mapIndex, { ...to, runningSince });
  }

  return {
    apply({ body, at }) {
      if (body.run) state = body.run;
      const shown = (body.t ?? []).filter(([taskIndex]) => taskIndex < taskIds.length);
      const changes = shown.map(([taskIndex, mapIndex, to, tryNumber, cause]) => ({
        taskIndex,
        taskId: taskIds[taskIndex]!,
        mapIndex,
        state: to,
        tryNumber,
        cause: cause ?? null,
        at,
      }));
      changes.forEach(change);
      return changes;
    },
    runState: () => state,
    instancesOf: (taskIndex) => [...(tasks[taskIndex]?.values() ?? [])],
    all: () => tasks.flatMap((instances) => [...instances.values()]),
  };
}

/** How many instances are in which state; those that were never heard of count as `none`. */
export function countStates(board: RunBoard, taskCount: number): Map<TaskState, number> {
  const counts = new Map<TaskState, number>();
  const add = (state: TaskState) => counts.set(state, (counts.get(state) ?? 0) + 1);
  for (let index = 0; index < taskCount; index++) {
    const instances = board.instancesOf(index);
    if (instances.length === 0) add('none');
    for (const { state } of instances) add(state);
  }
  return counts;
}

export const isDone = (state: TaskState): boolean => isFinishedTaskState(state);

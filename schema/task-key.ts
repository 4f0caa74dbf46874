import type { TaskKey } from '#db/queries/task-instances.ts';

const PATTERN = /^(\d{1,16})\.(\d{1,9})\.(-1|\d{1,9})$/;

/** `<runId>.<taskIndex>.<mapIndex>`: the id of a TaskInstance below its global id. */
export const formatTaskKey = ({ runId, taskIndex, mapIndex }: TaskKey): string => `${runId}.${taskIndex}.${mapIndex}`;

/** Null when it is not one. */
export function parseTaskKey(text: string): TaskKey | null {
  const match = PATTERN.exec(text);
  return match && { runId: Number(match[1]), taskIndex: Number(match[2]), mapIndex: Number(match[3]) };
}

export const taskKeyOf = (row: { run_id: number; task_index: number; map_index: number }): TaskKey => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
});

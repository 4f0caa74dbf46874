/** A dispatch's name outside the database: its row's key and its uuid, so that every statement finds it by primary key. */
export interface DispatchKey {
  runId: number;
  taskIndex: number;
  mapIndex: number;
  uuid: string;
}

const PATTERN = /^(\d{1,16})\.(\d{1,9})\.(-?\d{1,9})\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

export const formatDispatchId = (key: DispatchKey): string =>
  `${key.runId}.${key.taskIndex}.${key.mapIndex}.${key.uuid}`;

/** Null when it is not a dispatch id. */
export function parseDispatchId(text: string): DispatchKey | null {
  const match = PATTERN.exec(text);
  if (!match) return null;
  const [, runId, taskIndex, mapIndex, uuid] = match;
  return { runId: Number(runId), taskIndex: Number(taskIndex), mapIndex: Number(mapIndex), uuid: uuid ?? '' };
}

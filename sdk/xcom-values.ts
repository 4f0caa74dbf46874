/** Reading results of other tasks, wherever they lie. */
import { readFileSync } from 'node:fs';
import type { Json, XComValue } from './protocol.ts';

/** The value; a large one is read from the file that the runner has fetched it into. */
export function valueOf(xcom: XComValue): Json {
  const { artifact } = xcom;
  if (!artifact) return xcom.value;
  if (artifact.path === undefined)
    throw new Error(`The result '${xcom.key}' of task '${xcom.taskId}' (${artifact.bytes} bytes) was not fetched.`);
  return JSON.parse(readFileSync(artifact.path, 'utf8')) as Json;
}

/** Those of one task and key, in the order of its instances. */
export const findXComs = (xcoms: readonly XComValue[], taskId: string, key: string): XComValue[] =>
  xcoms.filter((xcom) => xcom.taskId === taskId && xcom.key === key).sort((a, b) => a.mapIndex - b.mapIndex);

/** The result of a task, or the list of a mapped task's results; undefined where there is none. */
export function findXCom(xcoms: readonly XComValue[], taskId: string, key: string): Json | undefined {
  const found = findXComs(xcoms, taskId, key);
  if (found.some((xcom) => xcom.mapIndex >= 0)) return found.map(valueOf);
  return found[0] && valueOf(found[0]);
}

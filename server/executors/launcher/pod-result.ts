/** Pure: the result of a task from what its container left in its termination message or result file. */
import type { Json, TaskReport } from '#sdk/protocol.ts';

/** Kubernetes keeps so many bytes of it, the last ones. */
export const MOST_BYTES = 4096;

/** JSON, or else the text as it is, without the line's end. Nothing: no result. */
export function readResult(message: string | null): Pick<TaskReport, 'xcoms'> | { invalid: string } {
  if (message === null || message.trim() === '') return {};
  if (Buffer.byteLength(message) >= MOST_BYTES)
    return {
      invalid: `The result has more than the ${MOST_BYTES - 1} bytes that Kubernetes keeps of it. Store it elsewhere and hand over where it lies.`,
    };
  return { xcoms: { return_value: valueOf(message) } };
}

function valueOf(message: string): Json {
  try {
    return JSON.parse(message) as Json;
  } catch {
    return message.replace(/\r?\n$/, '');
  }
}

import type { ApiClient } from './api-client.ts';
import { readResuming } from './resume.ts';

export interface LogLine {
  at: string;
  stream: 'STDOUT' | 'STDERR' | 'SYSTEM';
  text: string;
}
interface LogPage {
  lines: LogLine[];
  nextOffset: number;
  complete: boolean;
}

const PAGE = /* GraphQL */ `
  query TaskLog($id: ID!, $try: Int, $offset: Float, $tail: Int) {
    taskInstance(id: $id) {
      log(try: $try, offset: $offset, tail: $tail, limit: 5000) {
        lines {
          at
          stream
          text
        }
        nextOffset
        complete
      }
    }
  }
`;
const TAIL = /* GraphQL */ `
  subscription TaskLogTail($id: ID!, $try: Int, $after: Float) {
    taskLog(taskInstanceId: $id, try: $try, after: $after) {
      lines {
        at
        stream
        text
      }
      nextOffset
      complete
    }
  }
`;

/** Which part of a log: all of it, or its last lines. */
export interface LogPart {
  tryNumber: number | null;
  tail: number | null;
}

/** The log as far as it has been written. Returns where it ends. */
export async function readTaskLog(
  client: ApiClient,
  id: string,
  { tryNumber, tail }: LogPart,
  onLine: (line: LogLine) => void,
): Promise<number> {
  for (let at: { offset?: number; tail?: number } = tail === null ? { offset: 0 } : { tail }; ;) {
    const { taskInstance } = await client.request<{ taskInstance: { log: LogPage } }>(PAGE, {
      id,
      try: tryNumber,
      ...at,
    });
    const { lines, nextOffset } = taskInstance.log;
    lines.forEach(onLine);
    if (lines.length === 0 || nextOffset === at.offset) return nextOffset;
    at = { offset: nextOffset };
  }
}

/** The log to its end, line by line as it is written. */
export async function followTaskLog(
  client: ApiClient,
  id: string,
  part: LogPart,
  onLine: (line: LogLine) => void,
): Promise<void> {
  const { tryNumber, tail } = part;
  let after = tail === null ? 0 : await readTaskLog(client, id, part, onLine);
  await readResuming(
    () => client.subscribe<{ taskLog: LogPage }>(TAIL, { id, try: tryNumber, after }),
    ({ taskLog }) => {
      taskLog.lines.forEach(onLine);
      after = taskLog.nextOffset;
      return taskLog.complete;
    },
  );
}

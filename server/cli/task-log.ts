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
  query TaskLog($id: ID!, $try: Int, $offset: Float) {
    taskInstance(id: $id) {
      log(try: $try, offset: $offset) {
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

/** The log as far as it has been written. */
export async function readTaskLog(
  client: ApiClient,
  id: string,
  tryNumber: number | null,
  onLine: (line: LogLine) => void,
): Promise<void> {
  for (let offset = 0; ;) {
    const { taskInstance } = await client.request<{ taskInstance: { log: LogPage } }>(PAGE, {
      id,
      try: tryNumber,
      offset,
    });
    taskInstance.log.lines.forEach(onLine);
    if (taskInstance.log.nextOffset === offset) return;
    offset = taskInstance.log.nextOffset;
  }
}

/** The log to its end, line by line as it is written. */
export async function followTaskLog(
  client: ApiClient,
  id: string,
  tryNumber: number | null,
  onLine: (line: LogLine) => void,
): Promise<void> {
  let after = 0;
  await readResuming(
    () => client.subscribe<{ taskLog: LogPage }>(TAIL, { id, try: tryNumber, after }),
    ({ taskLog }) => {
      taskLog.lines.forEach(onLine);
      after = taskLog.nextOffset;
      return taskLog.complete;
    },
  );
}

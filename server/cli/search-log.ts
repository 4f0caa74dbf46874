import type { ApiClient } from './api-client.ts';
import type { LogLine } from './task-log.ts';

export interface LogHit {
  lineNumber: number;
  line: LogLine;
  before: LogLine[];
  after: LogLine[];
}

const SEARCH = /* GraphQL */ `
  query SearchTaskLog($id: ID!, $try: Int, $text: String!, $caseSensitive: Boolean, $context: Int, $after: String) {
    taskInstance(id: $id) {
      logSearch(try: $try, text: $text, caseSensitive: $caseSensitive, context: $context, after: $after) {
        cursor
        hits {
          lineNumber
          line {
            at
            stream
            text
          }
          before {
            at
            stream
            text
          }
          after {
            at
            stream
            text
          }
        }
      }
    }
  }
`;
interface Answer {
  taskInstance: { logSearch: { cursor: string | null; hits: LogHit[] } };
}

export interface LogSearch {
  id: string;
  try: number | null;
  text: string;
  caseSensitive: boolean;
  context: number;
}

/** All lines of a log that hold the text, as they are found. */
export async function searchTaskLog(client: ApiClient, search: LogSearch, onHit: (hit: LogHit) => void): Promise<void> {
  let after: string | null = null;
  do {
    const { taskInstance }: Answer = await client.request<Answer>(SEARCH, { ...search, after });
    taskInstance.logSearch.hits.forEach(onHit);
    after = taskInstance.logSearch.cursor;
  } while (after !== null);
}

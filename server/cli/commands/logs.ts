import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { findTaskInstance } from '../find-task-instance.ts';
import { printJsonLine, printLine, printNote } from '../output.ts';
import { followTaskLog, readTaskLog, type LogLine } from '../task-log.ts';
import { wholeNumber } from './runs.ts';

interface LogsOptions extends ConnectionOptions {
  try?: number;
  mapIndex: number;
  follow?: boolean;
}

export function addLogsCommand(program: Command): void {
  const command = withConnection(
    program
      .command('logs')
      .description('print the log of a task')
      .argument('<run>', 'id of the run')
      .argument('<task>', 'id of the task')
      .option('--try <n>', 'which try; the latest unless given', wholeNumber)
      .option('--map-index <n>', 'which instance of a mapped task', Number, -1)
      .option('--follow', 'go on until the log is complete'),
  );
  withExamples(command, 'millrace logs 1204 clean --follow', 'millrace logs 1204 clean --try 1').action(
    (runId: string, taskId: string, options: LogsOptions) =>
      withClient(options, (client) => printLog(client, runId, taskId, options)),
  );
}

async function printLog(client: ApiClient, runId: string, taskId: string, options: LogsOptions): Promise<void> {
  const { id } = await findTaskInstance(client, runId, taskId, options.mapIndex);
  const print = options.json ? printJsonLine : (line: LogLine) => printLine(`${line.at} ${line.text}`);
  const read = options.follow ? followTaskLog : readTaskLog;
  let lines = 0;
  await read(client, id, options.try ?? null, (line) => {
    lines += 1;
    print(line);
  });
  if (lines === 0) await tellWhy(client, id);
}

const WHY = /* GraphQL */ `
  query WhyNoLog($id: ID!) {
    taskInstance(id: $id) {
      state
      cause
      message
      waitingReason {
        message
      }
    }
  }
`;
interface Why {
  taskInstance: {
    state: string;
    cause: string | null;
    message: string | null;
    waitingReason: { message: string } | null;
  };
}

/** Of a task that never came to say anything. */
async function tellWhy(client: ApiClient, id: string): Promise<void> {
  const { state, cause, message, waitingReason } = (await client.request<Why>(WHY, { id })).taskInstance;
  const why = message ?? waitingReason?.message ?? cause;
  printNote(`There is no output. The task is ${state.toLowerCase()}${why === null ? '.' : `: ${why}`}`);
}

import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { printJsonLine, printLine } from '../output.ts';
import { followTaskLog, readTaskLog, type LogLine } from '../task-log.ts';
import { wholeNumber } from './runs.ts';

const TASKS = /* GraphQL */ `
  query RunTasks($runId: ID!, $after: String) {
    dagRun(runId: $runId) {
      taskInstances(first: 100, after: $after) {
        edges {
          node {
            id
            taskId
            mapIndex
            tryNumber
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;

interface TaskInstance {
  id: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
}
interface TasksPage {
  dagRun: {
    taskInstances: { edges: { node: TaskInstance }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
  } | null;
}
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
  const { id } = await findTask(client, runId, taskId, options.mapIndex);
  const print = options.json ? printJsonLine : (line: LogLine) => printLine(`${line.at} ${line.text}`);
  const read = options.follow ? followTaskLog : readTaskLog;
  await read(client, id, options.try ?? null, print);
}

async function findTask(client: ApiClient, runId: string, taskId: string, mapIndex: number): Promise<TaskInstance> {
  for (let after: string | null = null; ;) {
    const page: TasksPage = await client.request<TasksPage>(TASKS, { runId, after });
    if (!page.dagRun) throw new CommandError(`There is no run ${runId}; "millrace runs <dag>" lists them.`);
    const { edges, pageInfo } = page.dagRun.taskInstances;
    const found = edges.find(({ node }) => node.taskId === taskId && node.mapIndex === mapIndex);
    if (found) return found.node;
    if (!pageInfo.hasNextPage) throw new CommandError(`Run ${runId} has no task "${taskId}".`);
    after = pageInfo.endCursor;
  }
}

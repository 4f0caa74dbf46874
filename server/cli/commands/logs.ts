import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { findTaskInstance } from '../find-task-instance.ts';
import { printJsonLine, printLine, printNote } from '../output.ts';
import { searchTaskLog, type LogHit } from '../search-log.ts';
import { followTaskLog, readTaskLog, type LogLine } from '../task-log.ts';
import { wholeNumber } from './runs.ts';

interface LogsOptions extends ConnectionOptions {
  try?: number;
  mapIndex: number;
  follow?: boolean;
  tail?: number;
  search?: string;
  caseSensitive?: boolean;
  context: number;
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
      .option('--follow', 'go on until the log is complete')
      .option('--tail <lines>', 'begin so many lines before its end', wholeNumber)
      .option('--search <text>', 'only lines that hold the text, with their numbers')
      .option('--case-sensitive', 'of the text, large and small letters are different')
      .option('--context <lines>', 'print so many lines around each that was found', wholeNumber, 0),
  );
  withExamples(
    command,
    'millrace logs 1204 clean --follow',
    'millrace logs 1204 clean --tail 100',
    'millrace logs 1204 clean --search timeout --context 3',
  ).action((runId: string, taskId: string, options: LogsOptions) =>
    withClient(options, (client) => printLog(client, runId, taskId, options)),
  );
}

async function printLog(client: ApiClient, runId: string, taskId: string, options: LogsOptions): Promise<void> {
  const { search, follow, tail = null } = options;
  if (search !== undefined && (follow || tail !== null))
    throw new CommandError('--search looks at the whole log: it goes neither with --follow nor with --tail.');
  const { id } = await findTaskInstance(client, runId, taskId, options.mapIndex);
  if (search !== undefined) return printHits(client, id, search, options);
  const print = options.json ? printJsonLine : (line: LogLine) => printLine(textOf(line));
  const read = follow ? followTaskLog : readTaskLog;
  let lines = 0;
  await read(client, id, { tryNumber: options.try ?? null, tail }, (line) => {
    lines += 1;
    print(line);
  });
  if (lines === 0) await tellWhy(client, id);
}

const textOf = (line: LogLine): string => `${line.at} ${line.text}`;

async function printHits(client: ApiClient, id: string, text: string, options: LogsOptions): Promise<void> {
  const { caseSensitive = false, context, json } = options;
  let hits = 0;
  const print = (hit: LogHit) => {
    hits += 1;
    if (json) return printJsonLine(hit);
    if (hits > 1 && context > 0) printLine('--');
    hit.before.forEach((line, i) => printLine(`${hit.lineNumber - hit.before.length + i}- ${textOf(line)}`));
    printLine(`${hit.lineNumber}: ${textOf(hit.line)}`);
    hit.after.forEach((line, i) => printLine(`${hit.lineNumber + 1 + i}- ${textOf(line)}`));
  };
  await searchTaskLog(client, { id, try: options.try ?? null, text, caseSensitive, context }, print);
  if (hits === 0) printNote('No line of the log holds it.');
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

import { InvalidArgumentError, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { followRun, type Transition } from '../follow-run.ts';
import { orFail, type Outcome } from '../outcome.ts';
import { printJson, printJsonLine, printLine, printNote } from '../output.ts';
import type { LogLine } from '../task-log.ts';

const TRIGGER = /* GraphQL */ `
  mutation Trigger($input: TriggerDagRunInput!) {
    triggerDagRun(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
      ... on MutationTriggerDagRunSuccess {
        data {
          runId
          runKey
          state
        }
      }
    }
  }
`;

/** How the command ends when it waits; a failure of the command itself is 1. */
const EXIT_CODES: { [state: string]: number } = { SUCCESS: 0, FAILED: 2, CANCELLED: 3 };

interface Run {
  runId: string;
  runKey: string;
  state: string;
}
interface TriggerOptions extends ConnectionOptions {
  conf?: { [name: string]: unknown };
  logicalDate?: string;
  idempotencyKey?: string;
  wait?: boolean;
  follow?: boolean;
}

export function addTriggerCommand(program: Command): void {
  withConnection(
    program
      .command('trigger')
      .description('run a DAG')
      .argument('<dag>', 'name of the DAG')
      .option('--conf <json>', 'configuration of the run, overlaid on the params of the DAG', jsonObject)
      .option('--logical-date <time>', 'logical date of the run, ISO 8601')
      .option('--idempotency-key <key>', 'the same key makes only one run')
      .option('--wait', 'wait for the end: exit status 0 success, 2 failed, 3 cancelled, 1 this command failed')
      .option('--follow', 'wait, and print every change of a task and every line of its log'),
  ).action((dagId: string, options: TriggerOptions) =>
    withClient(options, (client) => trigger(client, dagId, options)),
  );
}

function jsonObject(text: string): { [name: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('It must be a JSON object.');
  return value as { [name: string]: unknown };
}

async function trigger(client: ApiClient, dagId: string, options: TriggerOptions): Promise<void> {
  const { conf, logicalDate, idempotencyKey, json } = options;
  const input = { dagId, conf, logicalDate, idempotencyKey };
  const { triggerDagRun } = await client.request<{ triggerDagRun: Outcome<Run> }>(TRIGGER, { input });
  const run = orFail(triggerDagRun, dagId);
  if (!options.wait && !options.follow) return json ? printJson(run) : printLine(run.runId);
  if (!json) printNote(`Run ${run.runId} of ${dagId}`);
  const print = options.follow ? (json ? jsonPrinter : textPrinter) : silent;
  const state = await followRun(client, run.runId, print);
  if (json) printJsonLine({ runId: run.runId, runKey: run.runKey, state });
  else printLine(`${run.runId} ${state.toLowerCase()}`);
  if (!(state in EXIT_CODES))
    throw new CommandError(`The run's end was not seen; the last state was ${state || 'unknown'}.`);
  process.exitCode = EXIT_CODES[state]!;
}

const nameOf = ({ taskId, mapIndex }: Transition): string => (mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`);
const clock = (at: string): string => new Date(at).toLocaleTimeString('sv-SE');

const silent = { onTransition: () => undefined };
const jsonPrinter = {
  onTransition: (transition: Transition) => printJsonLine({ type: 'task', ...transition }),
  onLogLine: (transition: Transition, line: LogLine) =>
    printJsonLine({ type: 'log', taskId: transition.taskId, mapIndex: transition.mapIndex, ...line }),
};
const textPrinter = {
  onTransition(transition: Transition) {
    const { at, state, tryNumber, cause } = transition;
    const more = [
      tryNumber > 1 ? `try ${tryNumber}` : '',
      cause && cause.toLowerCase() !== 'ok' ? cause.toLowerCase() : '',
    ]
      .filter(Boolean)
      .join(', ');
    printLine(`${clock(at)} ${nameOf(transition)} ${state.toLowerCase()}${more ? ` (${more})` : ''}`);
  },
  onLogLine: (transition: Transition, line: LogLine) =>
    printLine(`${clock(line.at)} ${nameOf(transition)} | ${line.text}`),
};

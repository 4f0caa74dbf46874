import type { Command } from 'commander';
import type { Json } from '#sdk/protocol.ts';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { findTaskInstance } from '../find-task-instance.ts';
import { jsonObject } from '../json-option.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { formatTime, printJson, printLine, printTable } from '../output.ts';
import { listAll } from '../pages.ts';

const APPROVALS = /* GraphQL */ `
  query Approvals($mine: Boolean!, $after: String) {
    approvals(first: 100, mine: $mine, after: $after) {
      edges {
        node {
          subject
          options
          defaultOption
          canDecide
          askedAt
          taskInstance {
            taskId
            mapIndex
            dagRun {
              runId
              dag {
                dagId
              }
            }
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;
const DECIDE = /* GraphQL */ `
  mutation DecideApproval($input: DecideApprovalInput!) {
    decideApproval(input: $input) {
      ...Failure
      ... on MutationDecideApprovalSuccess {
        data {
          taskId
          state
        }
      }
    }
  }
  ${FAILURE}
`;

interface Approval {
  subject: string;
  options: string[];
  defaultOption: string | null;
  canDecide: boolean;
  askedAt: string;
  taskInstance: { taskId: string; mapIndex: number; dagRun: { runId: string; dag: { dagId: string } } };
}
interface ListOptions extends ConnectionOptions {
  mine?: boolean;
}
interface DecideOptions extends ConnectionOptions {
  form?: { [name: string]: Json };
  note?: string;
}

export function addApprovalCommands(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('approvals')
        .description('list what waits for a decision, oldest run first')
        .option('--mine', 'only what you may decide'),
    ),
    'millrace approvals --mine',
  ).action((options: ListOptions) => withClient(options, (client) => listApprovals(client, options)));

  withExamples(
    withConnection(
      program
        .command('decide')
        .description('decide what an approval asks; the first decision counts')
        .argument('<run>', 'id of the run')
        .argument('<task>', 'id of the task, as ask or ask[3]')
        .argument('<option>', 'one of its options, such as approve or reject')
        .option('--form <json>', 'what its form asks for', jsonObject)
        .option('--note <text>', 'why, for others'),
    ),
    `millrace decide 1204 ask approve --note 'looks good'`,
    `millrace decide 1204 ask approve --form '{"percent": 20}'`,
  ).action((runId: string, task: string, option: string, options: DecideOptions) =>
    withClient(options, (client) => decide(client, { runId, task, option }, options)),
  );
}

async function listApprovals(client: ApiClient, { mine = false, json }: ListOptions): Promise<void> {
  const waiting = await listAll<Approval>(client, APPROVALS, { mine });
  if (json) return printJson(waiting);
  const rows = waiting.map(({ subject, options, defaultOption, askedAt, taskInstance }) => ({
    RUN: taskInstance.dagRun.runId,
    TASK: taskInstance.mapIndex < 0 ? taskInstance.taskId : `${taskInstance.taskId}[${taskInstance.mapIndex}]`,
    DAG: taskInstance.dagRun.dag.dagId,
    ASKED: formatTime(askedAt),
    OPTIONS: options.map((option) => (option === defaultOption ? `${option}*` : option)).join(', '),
    SUBJECT: subject,
  }));
  printTable(rows, mine ? 'Nothing waits for your decision.' : 'Nothing waits for a decision.');
}

async function decide(
  client: ApiClient,
  { runId, task, option }: { runId: string; task: string; option: string },
  { form, note, json }: DecideOptions,
): Promise<void> {
  const { id } = await findTaskInstance(client, runId, task);
  const decided = await mutate<{ taskId: string; state: string }>(client, DECIDE, {
    input: { taskInstanceId: id, decision: option, ...(form && { form }), ...(note !== undefined && { note }) },
  });
  if (json) return printJson(decided);
  printLine(`${task} of run ${runId}: ${option}`);
}

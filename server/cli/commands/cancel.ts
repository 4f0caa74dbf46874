import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { orFail, type Outcome } from '../outcome.ts';
import { printJson, printLine } from '../output.ts';

const CANCEL = /* GraphQL */ `
  mutation Cancel($input: CancelDagRunInput!) {
    cancelDagRun(input: $input) {
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
      ... on MutationCancelDagRunSuccess {
        data {
          runId
          state
        }
      }
    }
  }
`;

interface Run {
  runId: string;
  state: string;
}

export function addCancelCommand(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('cancel')
        .description('end a run: nothing more starts, and what runs is killed')
        .argument('<run>', 'id of the run'),
    ),
    'millrace cancel 1204',
  ).action((runId: string, options: ConnectionOptions) =>
    withClient(options, (client) => cancel(client, runId, options.json === true)),
  );
}

async function cancel(client: ApiClient, runId: string, json: boolean): Promise<void> {
  const { cancelDagRun } = await client.request<{ cancelDagRun: Outcome<Run> }>(CANCEL, { input: { runId } });
  const run = orFail(cancelDagRun);
  if (json) printJson(run);
  else printLine(`${run.runId} ${run.state.toLowerCase()}`);
}

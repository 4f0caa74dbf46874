import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { runBulkJob, selectsRuns, withRunSelection, type BulkOptions } from '../bulk-job.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine } from '../output.ts';

const CANCEL = /* GraphQL */ `
  mutation Cancel($input: CancelDagRunInput!) {
    cancelDagRun(input: $input) {
      ...Failure
      ... on MutationCancelDagRunSuccess {
        data {
          runId
          state
        }
      }
    }
  }
  ${FAILURE}
`;

interface Run {
  runId: string;
  state: string;
}

interface CancelOptions extends BulkOptions {
  dag?: string;
}

export function addCancelCommand(program: Command): void {
  const command = program
    .command('cancel')
    .description('end a run, or many: nothing more starts, and what runs is killed')
    .argument('[run]', 'id of the run')
    .option('--dag <id>', 'instead of a run: the runs of this DAG that have not ended');
  withExamples(
    withConnection(
      withRunSelection(command, ['queued', 'running']).option('--dry-run', 'of a DAG: only say which runs these are'),
    ),
    'millrace cancel 1204',
    'millrace cancel --dag etl_daily --state queued',
  ).action((runId: string | undefined, options: CancelOptions) =>
    withClient(options, (client) => cancelWhat(client, runId, options)),
  );
}

async function cancelWhat(client: ApiClient, runId: string | undefined, options: CancelOptions): Promise<void> {
  const { dag: dagId, state = ['queued', 'running'] } = options;
  if ((runId === undefined) === (dagId === undefined))
    throw new CommandError('Give either the id of a run, or --dag for runs of a DAG.');
  if (dagId !== undefined)
    return runBulkJob(client, { action: 'CANCEL', dagId, tasks: {}, done: 'cancelled' }, { ...options, state });
  if (selectsRuns(options) || options.dryRun)
    throw new CommandError('--state, --kind, --from, --to and --dry-run choose among the runs of a DAG: give --dag.');
  return cancel(client, runId!, options.json === true);
}

async function cancel(client: ApiClient, runId: string, json: boolean): Promise<void> {
  const run = await mutate<Run>(client, CANCEL, { input: { runId } });
  if (json) printJson(run);
  else printLine(`${run.runId} ${run.state.toLowerCase()}`);
}

import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { jsonObject } from '../json-option.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { watchStarted, type StartedRun } from '../watch-started.ts';

const RERUN = /* GraphQL */ `
  mutation Rerun($input: RerunDagRunInput!) {
    rerunDagRun(input: $input) {
      ...Failure
      ... on MutationRerunDagRunSuccess {
        data {
          runId
          runKey
          state
          dag {
            dagId
          }
        }
      }
    }
  }
  ${FAILURE}
`;

interface RerunOptions extends ConnectionOptions {
  latest?: boolean;
  conf?: { [name: string]: unknown };
  idempotencyKey?: string;
  wait?: boolean;
  follow?: boolean;
}

export function addRerunCommand(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('rerun')
        .description('make another run of the same date, with the version and the configuration of this one')
        .argument('<run>', 'id of the run')
        .option('--latest', 'with the DAG as it is now')
        .option('--conf <json>', 'another configuration, overlaid on the params of the DAG', jsonObject)
        .option('--idempotency-key <key>', 'the same key makes only one run')
        .option('--wait', 'wait for the end: exit status 0 success, 2 failed, 3 cancelled, 1 this command failed')
        .option('--follow', 'wait, and print every change of a task and every line of its log'),
    ),
    'millrace rerun 1204 --latest --follow',
    `millrace rerun 1204 --conf '{"lateAfter": 60}'`,
  ).action((runId: string, options: RerunOptions) => withClient(options, (client) => rerun(client, runId, options)));
}

async function rerun(client: ApiClient, runId: string, options: RerunOptions): Promise<void> {
  const { latest: latestVersion, conf, idempotencyKey } = options;
  const input = { runId, latestVersion, conf, idempotencyKey };
  const { dag, ...run } = await mutate<StartedRun & { dag: { dagId: string } }>(client, RERUN, { input });
  await watchStarted(client, dag.dagId, run, options);
}

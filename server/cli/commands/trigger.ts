import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { jsonObject } from '../json-option.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { watchStarted, type StartedRun } from '../watch-started.ts';

const TRIGGER = /* GraphQL */ `
  mutation Trigger($input: TriggerDagRunInput!) {
    triggerDagRun(input: $input) {
      ...Failure
      ... on MutationTriggerDagRunSuccess {
        data {
          runId
          runKey
          state
        }
      }
    }
  }
  ${FAILURE}
`;

interface TriggerOptions extends ConnectionOptions {
  conf?: { [name: string]: unknown };
  logicalDate?: string;
  idempotencyKey?: string;
  wait?: boolean;
  follow?: boolean;
}

export function addTriggerCommand(program: Command): void {
  const command = withConnection(
    program
      .command('trigger')
      .description('run a DAG')
      .argument('<dag>', 'name of the DAG')
      .option('--conf <json>', 'configuration of the run, overlaid on the params of the DAG', jsonObject)
      .option('--logical-date <time>', 'logical date of the run, ISO 8601')
      .option('--idempotency-key <key>', 'the same key makes only one run')
      .option('--wait', 'wait for the end: exit status 0 success, 2 failed, 3 cancelled, 1 this command failed')
      .option('--follow', 'wait, and print every change of a task and every line of its log'),
  );
  withExamples(
    command,
    'millrace trigger etl_daily --follow',
    `millrace trigger etl_daily --conf '{"lateAfter": 30}' --logical-date 2026-01-31 --wait`,
  ).action((dagId: string, options: TriggerOptions) =>
    withClient(options, (client) => trigger(client, dagId, options)),
  );
}

async function trigger(client: ApiClient, dagId: string, options: TriggerOptions): Promise<void> {
  const { conf, logicalDate, idempotencyKey } = options;
  const input = { dagId, conf, logicalDate, idempotencyKey };
  const run = await mutate<StartedRun>(client, TRIGGER, { input }, dagId);
  await watchStarted(client, dagId, run, options);
}

import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printNote } from '../output.ts';

const SET_PAUSED = /* GraphQL */ `
  mutation SetPaused($input: SetDagPausedInput!) {
    setDagPaused(input: $input) {
      ...Failure
      ... on MutationSetDagPausedSuccess {
        data {
          dagId
          paused
          nextRunAt
        }
      }
    }
  }
  ${FAILURE}
`;

interface PausedDag {
  dagId: string;
  paused: boolean;
  nextRunAt: string | null;
}

export function addPauseCommands(program: Command): void {
  const add = (name: string, about: string, paused: boolean) =>
    withExamples(
      withConnection(program.command(name).description(about).argument('<dag...>', 'names of DAGs')),
      `millrace ${name} etl_daily`,
      `millrace dags --json | jq -r '.[].dagId' | xargs millrace ${name}`,
    ).action((dagIds: string[], options: ConnectionOptions) =>
      withClient(options, (client) => setPaused(client, dagIds, paused, options.json === true)),
    );
  add('pause', 'start no further runs of DAGs; what runs already goes on', true);
  add('unpause', 'let DAGs run again by their schedules', false);
}

/** Every name is tried, so that one that is wrong does not keep the others from it. */
async function setPaused(client: ApiClient, dagIds: string[], paused: boolean, json: boolean): Promise<void> {
  const done: PausedDag[] = [];
  let failures = 0;
  for (const dagId of dagIds) {
    try {
      const input = { dagId, paused };
      const dag = await mutate<PausedDag>(client, SET_PAUSED, { input });
      done.push(dag);
      if (!json) printLine(`${dag.dagId} ${paused ? 'paused' : 'unpaused'}`);
    } catch (error) {
      if (!(error instanceof CommandError) || dagIds.length === 1) throw error;
      failures++;
      printNote(error.message);
    }
  }
  if (json) printJson(done);
  if (failures > 0) throw new CommandError(`${failures} of ${dagIds.length} DAGs could not be changed.`);
}

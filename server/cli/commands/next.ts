import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { formatTime, printJson, printNote, printTable } from '../output.ts';
import { wholeNumber } from './runs.ts';

const NEXT = /* GraphQL */ `
  query NextRuns($dagId: String!, $first: Int!) {
    dag(dagId: $dagId) {
      schedule
      timezone
      paused
      nextRuns(first: $first) {
        runAt
        logicalDate
        dataIntervalStart
        dataIntervalEnd
      }
    }
  }
`;

interface Dag {
  schedule: string | null;
  timezone: string;
  paused: boolean;
  nextRuns: { runAt: string; logicalDate: string; dataIntervalStart: string; dataIntervalEnd: string }[];
}
interface NextOptions extends ConnectionOptions {
  number: number;
}

export function addNextCommand(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('next')
        .description('show when a DAG runs next, by its schedule')
        .argument('<dag>', 'name of the DAG')
        .option('-n, --number <n>', 'how many runs, at most 100', wholeNumber, 5),
    ),
    'millrace next etl_daily -n 10',
    `millrace next etl_daily --json | jq -r '.[0].runAt'`,
  ).action((dagId: string, options: NextOptions) => withClient(options, (client) => showNext(client, dagId, options)));
}

async function showNext(client: ApiClient, dagId: string, { number, json }: NextOptions): Promise<void> {
  const { dag } = await client.request<{ dag: Dag | null }>(NEXT, { dagId, first: number });
  if (!dag) throw new CommandError(`There is no DAG "${dagId}"; "millrace dags" lists them.`);
  if (json) return printJson(dag.nextRuns);
  if (dag.paused) printNote(`"${dagId}" is paused: this is what un-pausing it now would bring.`);
  const rows = dag.nextRuns.map((run) => ({
    'runs at': formatTime(run.runAt),
    'logical date': run.logicalDate,
    'interval start': run.dataIntervalStart,
    'interval end': run.dataIntervalEnd,
  }));
  printTable(rows, `No run of "${dagId}" is foreseen: its schedule is ${dag.schedule ?? 'none'} (${dag.timezone}).`);
}

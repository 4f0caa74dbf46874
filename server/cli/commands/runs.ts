import { InvalidArgumentError, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { formatDuration, formatTime, printJson, printTable } from '../output.ts';

const RUNS = /* GraphQL */ `
  query Runs($dagId: String!, $first: Int!, $state: RunState) {
    dag(dagId: $dagId) {
      runs(first: $first, state: $state) {
        edges {
          node {
            runId
            runKey
            kind
            state
            logicalDate
            createdAt
            startedAt
            endedAt
            triggeredBy
          }
        }
      }
    }
  }
`;

interface Run {
  runId: string;
  runKey: string;
  kind: string;
  state: string;
  logicalDate: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  triggeredBy: string | null;
}
interface RunsOptions extends ConnectionOptions {
  limit: number;
  state?: string;
}

export function addRunsCommand(program: Command): void {
  const command = withConnection(
    program
      .command('runs')
      .description('list the latest runs of a DAG')
      .argument('<dag>', 'name of the DAG')
      .option('--limit <n>', 'how many', wholeNumber, 20)
      .option('--state <state>', 'only those in this state'),
  );
  withExamples(command, 'millrace runs etl_daily', 'millrace runs etl_daily --state failed --limit 5').action(
    (dagId: string, options: RunsOptions) => withClient(options, (client) => listRuns(client, dagId, options)),
  );
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

async function listRuns(client: ApiClient, dagId: string, { limit, state, json }: RunsOptions): Promise<void> {
  const { dag } = await client.request<{ dag: { runs: { edges: { node: Run }[] } } | null }>(RUNS, {
    dagId,
    first: limit,
    state: state?.toUpperCase(),
  });
  if (!dag) throw new CommandError(`There is no DAG "${dagId}"; "millrace dags" lists them.`);
  const runs = dag.runs.edges.map((edge) => edge.node);
  if (json) return printJson(runs);
  const rows = runs.map((run) => ({
    run: run.runId,
    key: run.runKey,
    state: run.state.toLowerCase(),
    created: formatTime(run.createdAt),
    took: formatDuration(run.startedAt, run.endedAt),
    by: run.triggeredBy,
  }));
  printTable(rows, `"${dagId}" has not run yet: "millrace trigger ${dagId}".`);
}

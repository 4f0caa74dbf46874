import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { formatTime, printJson, printTable } from '../output.ts';
import { listAll } from '../pages.ts';

const DAGS = /* GraphQL */ `
  query Dags($after: String, $search: String) {
    dags(first: 100, after: $after, search: $search) {
      edges {
        node {
          dagId
          schedule
          paused
          tags
          description
          nextRunAt
          recentRuns(first: 1) {
            runId
            state
            createdAt
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

interface Dag {
  dagId: string;
  schedule: string | null;
  paused: boolean;
  tags: string[];
  description: string | null;
  nextRunAt: string | null;
  recentRuns: { runId: string; state: string; createdAt: string }[];
}

export function addDagsCommand(program: Command): void {
  const command = withConnection(
    program.command('dags').description('list the DAGs').option('--search <text>', 'only those whose name holds it'),
  );
  withExamples(command, 'millrace dags', 'millrace dags --search etl --json').action(
    (options: ConnectionOptions & { search?: string }) => withClient(options, (client) => listDags(client, options)),
  );
}

async function listDags(client: ApiClient, { search, json }: { search?: string; json?: boolean }): Promise<void> {
  const dags = await listAll<Dag>(client, DAGS, { search });
  if (json) return printJson(dags);
  const rows = dags.map((dag) => ({
    dag: dag.dagId,
    schedule: dag.schedule ?? '-',
    'last run': dag.recentRuns[0]?.state.toLowerCase(),
    'next run': dag.paused ? 'paused' : formatTime(dag.nextRunAt),
    tags: dag.tags.join(','),
  }));
  printTable(rows, 'No DAGs yet: "millrace deploy <file>" brings one.');
}

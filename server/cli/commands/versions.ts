import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { formatTime, printJson, printTable } from '../output.ts';
import type { Page } from '../pages.ts';
import { shortCommit, titleOf } from '../print-git-source.ts';
import { wholeNumber } from './runs.ts';

const VERSIONS = /* GraphQL */ `
  query Versions($dagId: String!, $first: Int!, $after: String) {
    dag(dagId: $dagId) {
      version {
        number
      }
      versions(first: $first, after: $after) {
        edges {
          node {
            number
            createdAt
            createdBy
            hash
            taskCount
            gitSource
            commit {
              sha
              author
              message
              at
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;

interface Version {
  number: number;
  createdAt: string;
  createdBy: string | null;
  hash: string;
  taskCount: number;
  gitSource: string | null;
  commit: { sha: string; author: string | null; message: string | null; at: string | null } | null;
}
interface VersionsAnswer {
  dag: {
    version: { number: number };
    versions: Page<Version>;
  } | null;
}

const PAGE = 100;

export function addVersionsCommand(program: Command): void {
  serviceCommand(
    program
      .command('versions')
      .description('list the versions of a DAG, newest first, with the commits they came from')
      .argument('<dag>', 'name of the DAG')
      .option('--limit <n>', 'how many', wholeNumber, 20),
    listVersions,
    'millrace versions etl_daily',
    'millrace versions etl_daily --limit 100 --json',
  );
}

async function listVersions(
  client: ApiClient,
  dagId: string,
  { limit, json }: ConnectionOptions & { limit: number },
): Promise<void> {
  const versions: (Version & { current: boolean })[] = [];
  for (let after: string | null = null; versions.length < limit;) {
    const first = Math.min(PAGE, limit - versions.length);
    const { dag }: VersionsAnswer = await client.request<VersionsAnswer>(VERSIONS, { dagId, first, after });
    if (!dag) throw new CommandError(`There is no DAG "${dagId}"; "millrace dags" lists them.`);
    // Not always the newest: an earlier content is that earlier version again
    const current = dag.version.number;
    versions.push(...dag.versions.edges.map(({ node }) => ({ ...node, current: node.number === current })));
    if (!dag.versions.pageInfo.hasNextPage) break;
    after = dag.versions.pageInfo.endCursor;
  }
  if (json) return printJson(versions);
  const rows = versions.map(({ number, current, createdAt, createdBy, commit }) => ({
    version: `${number}${current ? ' *' : ''}`,
    deployed: formatTime(createdAt),
    by: createdBy,
    commit: shortCommit(commit),
    author: commit?.author,
    message: titleOf(commit?.message ?? null),
  }));
  printTable(rows, `"${dagId}" has no versions.`);
}

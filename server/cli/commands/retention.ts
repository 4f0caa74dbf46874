import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { formatTime, printJson, printLine, printNote, printTable } from '../output.ts';

const PLAN = /* GraphQL */ `
  query RetentionPlan {
    retentionPlan {
      deletions {
        what
        dagId
        seconds
        count
      }
      partitions {
        name
        bytes
      }
    }
  }
`;
const RUN_FIELDS = /* GraphQL */ `
  fragment RetentionRunFields on RetentionRun {
    retentionRunId
    state
    requestedBy
    requestedAt
    endedAt
    deleted
    error
  }
`;
const RUNS = /* GraphQL */ `
  query RetentionRuns {
    retentionRuns {
      ...RetentionRunFields
    }
  }
  ${RUN_FIELDS}
`;
const START = /* GraphQL */ `
  mutation StartRetention {
    startRetention {
      ...Failure
      ... on MutationStartRetentionSuccess {
        data {
          ...RetentionRunFields
        }
      }
    }
  }
  ${FAILURE}
  ${RUN_FIELDS}
`;

interface Plan {
  deletions: { what: string; dagId: string | null; seconds: number | null; count: number }[];
  partitions: { name: string; bytes: number }[];
}
interface RetentionRun {
  retentionRunId: string;
  state: string;
  requestedBy: string | null;
  requestedAt: string;
  endedAt: string | null;
  deleted: { [what: string]: number };
  error: string | null;
}

export function addRetentionCommand(program: Command): void {
  const retention = program.command('retention').description('what is deleted because it has been kept long enough');
  serviceCommand(
    retention.command('plan').description('print what would be deleted now'),
    printPlan,
    'millrace retention plan',
  );
  serviceCommand(
    retention.command('run').description('delete it now instead of within the hour').option('--yes', 'it is meant'),
    startRetention,
    'millrace retention run --yes',
  );
  serviceCommand(
    retention.command('list').description('print what was deleted before'),
    printRuns,
    'millrace retention list',
  );
}

async function printPlan(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const { retentionPlan: plan } = await client.request<{ retentionPlan: Plan }>(PLAN);
  if (json) return printJson(plan);
  const days = (seconds: number | null) => (seconds === null ? '' : `${Math.round((seconds / 86_400) * 10) / 10}d`);
  printTable(
    plan.deletions.map(({ what, dagId, seconds, count }) => ({
      WHAT: what,
      DAG: dagId,
      KEPT: days(seconds),
      COUNT: count,
    })),
    'No rows would be deleted. Unless DAGs or MILLRACE_RETENTION_* say otherwise, all is kept for ever.',
  );
  for (const { name, bytes } of plan.partitions)
    printLine(`The tables of the days from ${name} on would be dropped: ${(bytes / 2 ** 20).toFixed(1)} MiB.`);
}

async function startRetention(client: ApiClient, { yes, json }: ConnectionOptions & { yes?: boolean }): Promise<void> {
  if (!yes) throw new CommandError('What is deleted is gone: look at "millrace retention plan", then say --yes.');
  const run = await mutate<RetentionRun>(client, START);
  if (json) return printJson(run);
  printNote(`A scheduler does it now (${run.retentionRunId}); "millrace retention list" shows how far it is.`);
}

async function printRuns(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const { retentionRuns } = await client.request<{ retentionRuns: RetentionRun[] }>(RUNS);
  if (json) return printJson(retentionRuns);
  printTable(
    retentionRuns.map((run) => ({
      ID: run.retentionRunId,
      STATE: run.state.toLowerCase(),
      BY: run.requestedBy,
      ENDED: formatTime(run.endedAt),
      DELETED: run.error ?? describe(run.deleted),
    })),
    'Nothing was deleted yet.',
  );
}

const describe = (deleted: RetentionRun['deleted']): string =>
  Object.entries(deleted)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');

import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { describeJob, type JobProgress } from '../bulk-job.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { formatTime, printJson, printLine, printTable } from '../output.ts';
import { wholeNumber } from './runs.ts';

const JOBS = /* GraphQL */ `
  query BulkJobs($first: Int!) {
    bulkJobs(first: $first) {
      edges {
        node {
          jobId
          action
          state
          total
          done
          refused
          cancelled
          createdBy
          createdAt
          endedAt
        }
      }
    }
  }
`;
const CANCEL = /* GraphQL */ `
  mutation CancelBulkJob($jobId: ID!) {
    cancelBulkJob(jobId: $jobId) {
      ...Failure
      ... on MutationCancelBulkJobSuccess {
        data {
          jobId
          state
          total
          done
          refused
          cancelled
        }
      }
    }
  }
  ${FAILURE}
`;

interface Job extends JobProgress {
  action: string;
  createdBy: string;
  createdAt: string;
  endedAt: string | null;
}
interface JobsOptions extends ConnectionOptions {
  limit: number;
}

export function addJobsCommand(program: Command): void {
  const jobs = program.command('jobs').description('what clears, marks or cancels many runs');
  withConnection(
    jobs
      .command('list')
      .description('list the jobs over many runs, newest first')
      .option('--limit <n>', 'how many', wholeNumber, 20),
  ).action((options: JobsOptions) => withClient(options, (client) => list(client, options)));
  withConnection(
    jobs.command('cancel').description('stop a job over many runs; what it did stays done').argument('<job>', 'its id'),
  ).action((jobId: string, options: ConnectionOptions) =>
    withClient(options, (client) => cancel(client, jobId, options)),
  );
}

async function list(client: ApiClient, { limit, json }: JobsOptions): Promise<void> {
  const { bulkJobs } = await client.request<{ bulkJobs: { edges: { node: Job }[] } }>(JOBS, { first: limit });
  const found = bulkJobs.edges.map(({ node }) => node);
  if (json) return printJson(found);
  const rows = found.map((job) => ({
    job: job.jobId,
    does: job.action.toLowerCase(),
    state: job.state.toLowerCase(),
    progress: describeJob(job),
    created: formatTime(job.createdAt),
    by: job.createdBy,
  }));
  printTable(rows, 'Nothing was done to many runs at once yet.');
}

async function cancel(client: ApiClient, jobId: string, { json }: ConnectionOptions): Promise<void> {
  const job = await mutate<JobProgress>(client, CANCEL, { jobId });
  if (json) printJson(job);
  else printLine(`${job.jobId} ${job.state.toLowerCase()}: ${describeJob(job)}`);
}

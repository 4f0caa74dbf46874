/** One thing done to many runs: what commands take for it, and how it is shown. */
import { Option, type Command } from 'commander';
import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import type { ConnectionOptions } from './connect.ts';
import { readDagDates, shortDate } from './dag-date.ts';
import { followJob } from './follow-job.ts';
import { FAILURE, mutate } from './outcome.ts';
import { printJson, printJsonLine, printLine, printNote, printTable } from './output.ts';

const START = /* GraphQL */ `
  mutation StartBulkJob($input: StartBulkJobInput!) {
    startBulkJob(input: $input) {
      ...Failure
      ... on MutationStartBulkJobSuccess {
        data {
          total
          dagRuns {
            runId
            runKey
            state
            logicalDate
          }
          job {
            jobId
          }
        }
      }
    }
  }
  ${FAILURE}
`;
const PROGRESS = /* GraphQL */ `
  subscription BulkJobProgress($jobId: ID!) {
    bulkJobProgress(jobId: $jobId) {
      jobId
      state
      total
      done
      refused
      cancelled
    }
  }
`;
const REFUSED = /* GraphQL */ `
  query RefusedRuns($jobId: ID!, $first: Int!) {
    bulkJob(jobId: $jobId) {
      items(first: $first, refused: true) {
        edges {
          node {
            message
            dagRun {
              runId
            }
          }
        }
      }
    }
  }
`;

export interface BulkOptions extends ConnectionOptions {
  state?: string[];
  kind?: string[];
  from?: string;
  to?: string;
  dryRun?: boolean;
  /** False: start it and leave. */
  watch?: boolean;
}
export interface JobProgress {
  jobId: string;
  state: string;
  total: number;
  done: number;
  refused: number;
  cancelled: number;
}
interface Started {
  total: number;
  dagRuns: { runId: string; runKey: string; state: string; logicalDate: string | null }[];
  job: { jobId: string } | null;
}
interface Refused {
  bulkJob: { items: { edges: { node: { message: string | null; dagRun: { runId: string } | null } }[] } } | null;
}

/** Of an option that may be given again. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** Options that say which runs of a DAG; any of them makes it a matter of many runs. */
export const withRunSelection = (command: Command, states: string[]): Command =>
  command
    .addOption(
      new Option(
        '--state <state>',
        `of a DAG: its runs in this state (${states.join(', ')}); may be given again`,
      ).argParser(collect),
    )
    .option(
      '--kind <kind>',
      'of a DAG: its runs of this kind (scheduled, manual, backfill, asset); may be given again',
      collect,
    )
    .option('--from <date>', 'of a DAG: its runs with this logical date or a later one')
    .option('--to <date>', 'of a DAG: its runs with this logical date or an earlier one')
    .option('--no-watch', 'of a DAG: do not wait until all runs are through');

export const selectsRuns = ({ state, kind, from, to }: BulkOptions): boolean =>
  [state, kind, from, to].some((given) => given !== undefined);

export interface BulkWork {
  action: 'CLEAR' | 'MARK' | 'CANCEL';
  dagId: string;
  /** To clear or mark: which tasks of each run. */
  tasks: { [field: string]: unknown };
  /** `cleared`, `cancelled` */
  done: string;
}

/** Does it, or says to which runs it would be done. Exit status 2: some runs refused it, 3: the job was cancelled. */
export async function runBulkJob(client: ApiClient, work: BulkWork, options: BulkOptions): Promise<void> {
  const { action, dagId, tasks, done } = work;
  const { state, kind, dryRun = false, watch = true, json = false } = options;
  const range = await readDagDates(client, dagId, { from: options.from, to: options.to });
  const upper = (names?: string[]) => names?.map((name) => name.toUpperCase());
  const runs = { dagId, states: upper(state), kinds: upper(kind), ...range };
  const input = { action, runs, dryRun, ...tasks };
  const started = await mutate<Started>(client, START, { input }, dagId);
  const { job, total } = started;
  if (job === null) return json ? printJson(started) : printPreview(started, done);
  if (!watch) return json ? printJson(started) : printLine(job.jobId);
  if (!json)
    printNote(`Job ${job.jobId} over ${total} ${total === 1 ? 'run' : 'runs'}; Ctrl-C leaves it to the service.`);
  const ended = await followJob<JobProgress>(client, {
    query: PROGRESS,
    variables: { jobId: job.jobId },
    json,
    describe: describeJob,
  });
  await tellRefusals(client, ended, json);
  if (!json) printLine(`${ended.done} of ${ended.total} runs ${done}`);
  process.exitCode = ended.state === 'CANCELLED' ? 3 : ended.refused > 0 ? 2 : 0;
}

export function describeJob({ total, done, refused, cancelled }: JobProgress): string {
  const parts = Object.entries({ done, refused, cancelled }).flatMap(([name, n]) => (n > 0 ? [`${n} ${name}`] : []));
  return `${done + refused + cancelled} of ${total} runs: ${parts.join(', ') || 'nothing yet'}`;
}

function printPreview({ total, dagRuns }: Started, done: string): void {
  const rows = dagRuns.map(({ runId, runKey, state, logicalDate }) => ({
    run: runId,
    key: runKey,
    state: state.toLowerCase(),
    date: logicalDate && shortDate(logicalDate),
  }));
  printTable(rows, 'No run fits.');
  if (total > dagRuns.length) printNote(`… and ${total - dagRuns.length} more`);
  if (total > 0) printNote(`${total} ${total === 1 ? 'run' : 'runs'} would be ${done}; nothing was changed.`);
}

const MOST_REFUSALS = 100;

async function tellRefusals(client: ApiClient, { jobId, refused }: JobProgress, json: boolean): Promise<void> {
  if (refused === 0) return;
  const { bulkJob } = await client.request<Refused>(REFUSED, { jobId, first: MOST_REFUSALS });
  if (!bulkJob) throw new CommandError(`Job ${jobId} is gone.`);
  for (const { node } of bulkJob.items.edges) {
    const runId = node.dagRun?.runId ?? null;
    if (json) printJsonLine({ refused: runId, message: node.message });
    else printNote(`run ${runId ?? '(gone)'}: ${node.message ?? 'refused'}`);
  }
  if (!json && refused > bulkJob.items.edges.length) printNote(`… and ${refused - bulkJob.items.edges.length} more`);
}

import { Option, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import * as documents from '../backfill-documents.ts';
import type { Backfill, BackfillDate, Moved, Moving, Plan, Progress } from '../backfill-documents.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { readDagDates, shortDate } from '../dag-date.ts';
import { withExamples } from '../examples.ts';
import { followJob } from '../follow-job.ts';
import { jsonObject } from '../json-option.ts';
import { mutate } from '../outcome.ts';
import { formatDuration, formatTime, printJson, printLine, printNote, printTable } from '../output.ts';
import type { Page } from '../pages.ts';
import { wholeNumber } from './runs.ts';

interface CreateOptions extends ConnectionOptions {
  from: string;
  to: string;
  reprocess: string;
  maxActive: number;
  backwards?: boolean;
  conf?: { [name: string]: unknown };
  note?: string;
  dryRun?: boolean;
  wait?: boolean;
}
interface ListOptions extends ConnectionOptions {
  dag?: string;
  limit: number;
}

export function addBackfillCommand(program: Command): void {
  const backfill = program
    .command('backfill')
    .description('run a range of dates of a DAG, for the first time or again');
  addCreate(backfill);
  withConnection(
    backfill
      .command('list')
      .description('list the backfills, newest first')
      .option('--dag <id>', 'only those of this DAG')
      .option('--limit <n>', 'how many', wholeNumber, 20),
  ).action((options: ListOptions) => withClient(options, (client) => list(client, options)));
  withConnection(
    backfill
      .command('show')
      .description('show a backfill and what became of each of its dates')
      .argument('<backfill>', 'its id'),
  ).action((id: string, options: ConnectionOptions) => withClient(options, (client) => show(client, id, options)));
  const move = (name: string, description: string, document: string) =>
    withConnection(backfill.command(name).description(description).argument('<backfill>', 'its id')).action(
      (id: string, options: ConnectionOptions) =>
        withClient(options, async (client) => {
          const moved = await mutate<Moved>(client, document, { backfillId: id });
          if (options.json) printJson(moved);
          else printLine(`${moved.backfillId} ${moved.state.toLowerCase()}`);
        }),
    );
  move('pause', 'give no further date a run; those that have one go on', documents.PAUSE);
  move('resume', 'give dates their runs again', documents.RESUME);
  move('cancel', 'give no further date a run, and cancel its runs that are under way', documents.CANCEL);
}

function addCreate(backfill: Command): void {
  const command = withConnection(
    backfill
      .command('create')
      .description('run a range of dates with the DAG as it is now')
      .argument('<dag>', 'name of the DAG')
      .requiredOption(
        '--from <date>',
        'the first logical date, included; a time without an offset is in the DAG’s zone',
      )
      .requiredOption('--to <date>', 'the last logical date, included')
      .addOption(
        new Option(
          '--reprocess <which>',
          'which dates that have a run get another one: those that failed, all that ended',
        )
          .choices(['none', 'failed', 'completed'])
          .default('none'),
      )
      .option('--max-active <n>', 'most of its runs at once; the DAG’s own limit does not count them', wholeNumber, 10)
      .option('--backwards', 'the newest date first')
      .option('--conf <json>', 'configuration of each run, overlaid on the params of the DAG', jsonObject)
      .option('--note <text>', 'what it is for')
      .option('--dry-run', 'only say what would be run')
      .option(
        '--wait',
        'wait for the end: exit status 0 all succeeded, 2 some failed, 3 cancelled, 1 this command failed',
      ),
  );
  withExamples(
    command,
    'millrace backfill create etl_daily --from 2026-01-01 --to 2026-01-31 --dry-run',
    'millrace backfill create etl_daily --from 2026-01-01 --to 2026-01-31 --reprocess failed --max-active 4 --wait',
  ).action((dagId: string, options: CreateOptions) => withClient(options, (client) => create(client, dagId, options)));
}

async function create(client: ApiClient, dagId: string, options: CreateOptions): Promise<void> {
  const { reprocess, maxActive: maxActiveRuns, backwards, conf, note, dryRun, wait, json = false } = options;
  const range = await readDagDates(client, dagId, { from: options.from, to: options.to });
  const input = { dagId, ...range, reprocess: reprocess.toUpperCase(), maxActiveRuns, backwards, conf, note, dryRun };
  const plan = await mutate<Plan>(client, documents.CREATE, { input }, dagId);
  if (!json) printPlan(plan);
  if (plan.backfill?.dag.paused) printNote(`"${dagId}" is paused: "millrace unpause ${dagId}" lets the runs start.`);
  const id = plan.backfill?.backfillId;
  if (id === undefined || !wait) {
    if (json) printJson(plan);
    else if (id === undefined) printNote('Nothing was changed.');
    else printLine(id);
    return;
  }
  if (!json) printNote(`Backfill ${id}`);
  const ended = await followJob<Moving>(client, {
    query: documents.PROGRESS,
    variables: { backfillId: id },
    json,
    describe: ({ state, progress }) => describeProgress(state, progress),
  });
  if (!json) printLine(`${id} ${ended.state.toLowerCase()}`);
  process.exitCode = exitCodeOf(ended);
}

/** As of a run: what failed counts more than what was cancelled. */
function exitCodeOf({ state, progress }: Moving): number {
  if (state !== 'CANCELLED' && progress.failed > 0) return 2;
  return state === 'CANCELLED' || progress.cancelled > 0 ? 3 : 0;
}

const DECISIONS: { [decision: string]: string } = {
  CREATE: 'run',
  RERUN: 'run again',
  EXISTS: 'leave: it has a run',
  IN_FLIGHT: 'leave: its run is under way',
};

/** The plan is no result when runs come of it. */
function printPlan({ total, toRun, dates, backfill }: Plan): void {
  const rows = dates.map(({ logicalDate, decision, dagRun }) => ({
    date: shortDate(logicalDate),
    plan: DECISIONS[decision] ?? decision.toLowerCase(),
    'newest run': dagRun && `${dagRun.runId} ${dagRun.state.toLowerCase()}`,
  }));
  if (backfill === null) printTable(rows, 'There is no date in this range.');
  if (backfill === null && dates.length < total) printNote(`… and ${total - dates.length} more`);
  printNote(`${toRun} of ${total} ${total === 1 ? 'date' : 'dates'} to run`);
}

function describeProgress(state: string, progress: Progress): string {
  const { total, ...parts } = progress;
  const done = total - progress.pending - progress.running;
  const told = Object.entries(parts).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []));
  const paused = state === 'PAUSED' ? ' (paused)' : '';
  return `${done} of ${total} done${paused}: ${told.join(', ') || 'nothing yet'}`;
}

async function list(client: ApiClient, { dag, limit, json }: ListOptions): Promise<void> {
  type Answer = { backfills: { edges: { node: Backfill }[] } };
  const { backfills } = await client.request<Answer>(documents.LIST, { dagId: dag, first: limit });
  const found = backfills.edges.map(({ node }) => node);
  if (json) return printJson(found);
  const rows = found.map((backfill) => ({
    backfill: backfill.backfillId,
    dag: backfill.dag.dagId,
    state: backfill.state.toLowerCase(),
    from: shortDate(backfill.from),
    to: shortDate(backfill.to),
    progress: describeProgress('', backfill.progress),
    created: formatTime(backfill.createdAt),
    by: backfill.createdBy,
  }));
  printTable(rows, 'No backfills yet: "millrace backfill create <dag> --from <date> --to <date>" makes one.');
}

type Shown = Backfill & {
  conf: unknown;
  dates: Page<BackfillDate>;
};

async function show(client: ApiClient, id: string, { json }: ConnectionOptions): Promise<void> {
  const dates: BackfillDate[] = [];
  let page: Shown | null = null;
  for (let after: string | null = null; page?.dates.pageInfo.hasNextPage ?? true;) {
    const answer: { backfill: Shown | null } = await client.request(documents.SHOW, { backfillId: id, after });
    if (!answer.backfill) throw new CommandError(`There is no backfill "${id}"; "millrace backfill list" lists them.`);
    page = answer.backfill;
    after = page.dates.pageInfo.endCursor;
    dates.push(...page.dates.edges.map(({ node }) => node));
  }
  if (json) return printJson({ ...page, dates });
  printNote(describeBackfill(page!));
  const rows = dates.map(({ logicalDate, outcome, dagRun }) => ({
    date: shortDate(logicalDate),
    state: outcome ?? dagRun?.state.toLowerCase() ?? 'pending',
    run: dagRun?.runId,
    took: formatDuration(dagRun?.startedAt ?? null, dagRun?.endedAt ?? null),
  }));
  printTable(rows, 'It has no dates.');
}

function describeBackfill({ backfillId, dag, state, progress, note, createdBy, createdAt, ...rest }: Backfill): string {
  const order = rest.backwards ? ', newest first' : '';
  return [
    `Backfill ${backfillId} of ${dag.dagId}, ${state.toLowerCase()}: ${describeProgress('', progress)}`,
    `${shortDate(rest.from)} to ${shortDate(rest.to)}, reprocess ${rest.reprocess.toLowerCase()}, at most ${rest.maxActiveRuns} at once${order}`,
    `by ${createdBy} at ${formatTime(createdAt)}${note === null ? '' : `: ${note}`}`,
  ].join('\n');
}

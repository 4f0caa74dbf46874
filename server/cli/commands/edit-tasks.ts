import { Argument, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { collect, runBulkJob, selectsRuns, withRunSelection, type BulkOptions } from '../bulk-job.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printNote, printTable } from '../output.ts';
import { wholeNumber } from './runs.ts';

const CLEAR = /* GraphQL */ `
  mutation Clear($input: ClearTasksInput!) {
    clearTasks(input: $input) {
      ...Failure
      ... on MutationClearTasksSuccess {
        data {
          dryRun
          dagRun {
            runId
            state
          }
          taskInstances {
            taskId
            mapIndex
            state
            tryNumber
          }
        }
      }
    }
  }
  ${FAILURE}
`;
const MARK = /* GraphQL */ `
  mutation Mark($input: MarkTasksInput!) {
    markTasks(input: $input) {
      ...Failure
      ... on MutationMarkTasksSuccess {
        data {
          dryRun
          dagRun {
            runId
            state
          }
          taskInstances {
            taskId
            mapIndex
            state
            tryNumber
          }
        }
      }
    }
  }
  ${FAILURE}
`;

interface Edited {
  dryRun: boolean;
  dagRun: { runId: string; state: string };
  taskInstances: { taskId: string; mapIndex: number; state: string; tryNumber: number }[];
}
interface SelectionOptions extends BulkOptions {
  task?: string[];
  mapIndex?: number[];
  upstream?: boolean;
  downstream?: boolean;
  onlyFailed?: boolean;
}

const collectNumber = (value: string, before: number[] = []): number[] => [...before, wholeNumber(value)];

const RUN_STATES = ['success', 'failed', 'cancelled', 'running'];

const withSelection = (command: Command): Command =>
  withConnection(
    withRunSelection(command, RUN_STATES)
      .option('--map-index <n>', 'of mapped tasks only this instance; may be given again', collectNumber)
      .option('--upstream', 'and all that they depend on')
      .option('--downstream', 'and all that depends on them')
      .option('--dry-run', 'only say what would change'),
  );

export function addEditCommands(program: Command): void {
  withExamples(
    withSelection(
      program
        .command('clear')
        .description('run tasks again, in the same run with the same code; a finished run goes on')
        .argument(
          '<run-or-dag>',
          'id of the run; or name of a DAG, with --state, --kind, --from or --to for which runs',
        )
        .option('--task <id>', 'which task; may be given again. All tasks unless given', collect)
        .option('--only-failed', 'of these only what failed, or whose upstream failed'),
    ),
    'millrace clear 1204 --only-failed',
    'millrace clear 1204 --task clean --downstream --dry-run',
    'millrace clear 1204 --task load --map-index 3 --map-index 7',
    'millrace clear etl_daily --state failed --from 2026-01-01 --to 2026-01-31 --only-failed',
  ).action((runId: string, options: SelectionOptions) =>
    withClient(options, (client) => clear(client, runId, options)),
  );
  withExamples(
    withSelection(
      program
        .command('mark')
        .description('take tasks as finished, whatever they do; what runs of them is killed')
        .argument(
          '<run-or-dag>',
          'id of the run; or name of a DAG, with --state, --kind, --from or --to for which runs',
        )
        .addArgument(new Argument('<state>', 'what they are taken for').choices(['success', 'failed', 'skipped']))
        .requiredOption('--task <id>', 'which task; may be given again', collect),
    ),
    'millrace mark 1204 success --task check_counts',
    'millrace mark etl_daily skipped --task report --from 2026-01-01 --to 2026-01-31 --dry-run',
  ).action((runId: string, state: string, options: SelectionOptions) =>
    withClient(options, (client) => mark(client, runId, state, options)),
  );
}

async function clear(client: ApiClient, runId: string, options: SelectionOptions): Promise<void> {
  const { task: taskIds, mapIndex: mapIndexes, upstream, downstream, onlyFailed, dryRun } = options;
  const tasks = { taskIds, mapIndexes, upstream, downstream, onlyFailed };
  if (selectsRuns(options))
    return runBulkJob(client, { action: 'CLEAR', dagId: runId, tasks, done: 'cleared' }, options);
  checkIsRun(runId);
  const input = { runId, ...tasks, dryRun };
  const edited = await mutate<Edited>(client, CLEAR, { input });
  report(edited, options.json === true, { done: 'cleared', none: 'Nothing to clear: no task of it fits.' });
}

async function mark(client: ApiClient, runId: string, as: string, options: SelectionOptions): Promise<void> {
  const { task: taskIds, mapIndex: mapIndexes, upstream, downstream, dryRun } = options;
  const tasks = { taskIds, mapIndexes, upstream, downstream, state: as.toUpperCase() };
  if (selectsRuns(options))
    return runBulkJob(client, { action: 'MARK', dagId: runId, tasks, done: `marked ${as}` }, options);
  checkIsRun(runId);
  const input = { runId, ...tasks, dryRun };
  const edited = await mutate<Edited>(client, MARK, { input });
  const none = `Nothing to mark: all of it is ${as} already.`;
  report(edited, options.json === true, { done: `marked ${as}`, none });
}

function checkIsRun(runId: string): void {
  if (/^\d+$/.test(runId)) return;
  throw new CommandError(
    `"${runId}" is no run's id. For many runs of the DAG "${runId}" say which: with --state, --kind, --from or --to.`,
  );
}

function report(edited: Edited, json: boolean, words: { done: string; none: string }): void {
  if (json) return printJson(edited);
  const { dryRun, dagRun, taskInstances: tasks } = edited;
  const rows = tasks.map(({ taskId, mapIndex, state, tryNumber }) => ({
    task: mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`,
    state: state.toLowerCase(),
    tries: tryNumber,
  }));
  printTable(rows, words.none);
  if (tasks.length === 0) return;
  const count = `${tasks.length} ${tasks.length === 1 ? 'task' : 'tasks'}`;
  printNote(
    dryRun
      ? `${count} of run ${dagRun.runId} would be ${words.done}; nothing was changed.`
      : `${count} ${words.done}; run ${dagRun.runId} is ${dagRun.state.toLowerCase()}.`,
  );
}

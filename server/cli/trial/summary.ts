/** How a run ended, for people and programs. */
import type { Db } from '#db/client.ts';
import { listTaskTries } from '#db/queries/task-tries.ts';
import type { RunState, TaskState } from '#sdk/states.ts';
import { countStates, type InstanceView, type RunBoard } from './run-board.ts';

export interface Failure {
  name: string;
  cause: string;
  message: string | null;
  exitCode: number | null;
  tryNumber: number;
}

export interface RunSummary {
  dagId: string;
  state: RunState;
  seconds: number;
  counts: { [state in TaskState]?: number };
  failures: Failure[];
  /** Not run because an upstream failed. */
  notRun: string[];
  /** Failed tasks that have retries, which were not made. */
  retriesLeftOut: string[];
}

export interface SummaryInput {
  dagId: string;
  runId: number;
  state: RunState;
  seconds: number;
  taskCount: number;
  /** Tasks whose retries were left out. */
  withoutRetries: ReadonlySet<string>;
}

export const nameOf = ({ taskId, mapIndex }: { taskId: string; mapIndex: number }): string =>
  mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`;

/** Of a mapped task with thousands of failures the first are enough. */
const MOST_FAILURES = 50;

export async function summarise(db: Db, board: RunBoard, input: SummaryInput): Promise<RunSummary> {
  const all = board.all();
  const failed = all.filter((instance) => instance.state === 'failed');
  return {
    dagId: input.dagId,
    state: input.state,
    seconds: input.seconds,
    counts: Object.fromEntries(countStates(board, input.taskCount)),
    failures: await explain(db, input.runId, failed.slice(0, MOST_FAILURES)),
    notRun: all.filter(({ state }) => state === 'upstream_failed').map(nameOf),
    retriesLeftOut: failed.filter(({ taskId }) => input.withoutRetries.has(taskId)).map(nameOf),
  };
}

async function explain(db: Db, runId: number, failed: InstanceView[]): Promise<Failure[]> {
  const keys = failed.map(({ taskIndex, mapIndex }) => ({ runId, taskIndex, mapIndex }));
  const tries = await listTaskTries(db, keys, { newest: true });
  return failed.map((instance, index) => {
    const last = tries[index]?.[0];
    return {
      name: nameOf(instance),
      cause: last?.cause ?? instance.cause ?? 'unknown',
      message: last?.message ?? null,
      exitCode: last?.exit_code ?? null,
      tryNumber: instance.tryNumber,
    };
  });
}

/** Lines for a person, the outcome first. */
export function describeSummary(summary: RunSummary): string[] {
  const { dagId, state, seconds, counts, failures, notRun, retriesLeftOut } = summary;
  const tally = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  const lines = [`${dagId} ${state} in ${formatSeconds(seconds)}: ${tally.join(', ')}`];
  for (const failure of failures) {
    lines.push(`✗ ${failure.name}: ${causeOf(failure)}`);
    for (const line of failure.message?.split('\n') ?? []) lines.push(`    ${line}`);
  }
  if (notRun.length > 0) lines.push(`Not run, for an upstream failed: ${listed(notRun)}`);
  if (retriesLeftOut.length > 0)
    lines.push(`Their retries were left out, --try-all makes them: ${listed(retriesLeftOut)}`);
  return lines;
}

const causeOf = ({ cause, exitCode, tryNumber }: Failure): string => {
  const more = [
    exitCode !== null && cause === 'exit_code' ? String(exitCode) : '',
    tryNumber > 1 ? `on try ${tryNumber}` : '',
  ];
  return [cause, ...more].filter(Boolean).join(' ');
};

const listed = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ');

export const formatSeconds = (seconds: number): string =>
  seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;

/** What a command does with a run that it has started. */
import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { followRun } from './follow-run.ts';
import { printJson, printJsonLine, printLine, printNote } from './output.ts';
import { RUN_EXIT_CODES } from './run-exit-codes.ts';
import { jsonPrinter, textPrinter } from './run-printers.ts';

export interface StartedRun {
  runId: string;
  runKey: string;
  state: string;
}
export interface WatchOptions {
  json?: boolean;
  wait?: boolean;
  follow?: boolean;
}

const silent = { onTransition: () => undefined };

/** Prints its id; with `wait` or `follow` its end, which is the exit status. */
export async function watchStarted(
  client: ApiClient,
  dagId: string,
  run: StartedRun,
  { json, wait, follow }: WatchOptions,
): Promise<void> {
  if (!wait && !follow) return json ? printJson(run) : printLine(run.runId);
  if (!json) printNote(`Run ${run.runId} of ${dagId}`);
  const print = follow ? (json ? jsonPrinter : textPrinter) : silent;
  const state = await followRun(client, run.runId, print);
  if (json) printJsonLine({ runId: run.runId, runKey: run.runKey, state });
  else printLine(`${run.runId} ${state.toLowerCase()}`);
  if (!(state in RUN_EXIT_CODES))
    throw new CommandError(`The run's end was not seen; the last state was ${state || 'unknown'}.`);
  process.exitCode = RUN_EXIT_CODES[state]!;
}

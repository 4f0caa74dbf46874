import { printJsonLine, printLine, printNote } from '../output.ts';
import { jsonPrinter, textPrinter, type PrintedChange } from '../run-printers.ts';
import type { LogLine } from '../task-log.ts';
import type { Change, RunBoard } from './run-board.ts';
import { describeSummary, type RunSummary } from './summary.ts';

/** Where a run is shown. */
export interface TrialOutput {
  /** The board has them already. */
  changed(changes: readonly Change[], board: RunBoard): void;
  logged(task: { taskId: string; mapIndex: number }, line: LogLine): void;
  ended(summary: RunSummary): void;
  /** To whoever runs it, no result. */
  note(text: string): void;
  /** Leaves the terminal to others until the returned function is called. */
  pause(): () => void;
  /** Nothing more is shown. */
  close(): void;
}

const printed = (change: Change): PrintedChange => ({
  taskId: change.taskId,
  mapIndex: change.mapIndex,
  state: change.state.toUpperCase(),
  tryNumber: change.tryNumber,
  cause: change.cause,
  at: change.at.toISOString(),
});

/** Lines that come one after the other need no pause. */
const plain = { note: printNote, pause: () => () => undefined };

/** A line per change and per line of log. */
export const createTextOutput = (): TrialOutput => ({
  changed: (changes) => changes.map(printed).forEach(textPrinter.onTransition),
  logged: (task, line) => textPrinter.onLogLine(task, line),
  ended: (summary) => describeSummary(summary).forEach(printLine),
  ...plain,
  close: () => undefined,
});

/** The same as JSON, an object per line; the last one has type `run`. */
export const createJsonOutput = (): TrialOutput => ({
  changed: (changes) => changes.map(printed).forEach(jsonPrinter.onTransition),
  logged: (task, line) => jsonPrinter.onLogLine(task, line),
  ended: ({ state, ...summary }) => printJsonLine({ type: 'run', state: state.toUpperCase(), ...summary }),
  ...plain,
  close: () => undefined,
});

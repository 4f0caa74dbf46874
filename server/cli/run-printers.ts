/** Changes and log lines of a run, a line each. */
import { printJsonLine, printLine } from './output.ts';
import type { LogLine } from './task-log.ts';

export interface PrintedTask {
  taskId: string;
  /** Below 0: not mapped. */
  mapIndex: number;
}
export interface PrintedChange extends PrintedTask {
  state: string;
  tryNumber: number;
  cause: string | null;
  at: string;
}

const nameOf = ({ taskId, mapIndex }: PrintedTask): string => (mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`);
export const formatClock = (at: string): string => new Date(at).toLocaleTimeString('sv-SE');

export const formatLogLine = (task: PrintedTask, line: LogLine): string =>
  `${formatClock(line.at)} ${nameOf(task)} | ${line.text}`;

export const jsonPrinter = {
  onTransition: (change: PrintedChange) => printJsonLine({ type: 'task', ...change }),
  onLogLine: ({ taskId, mapIndex }: PrintedTask, line: LogLine) =>
    printJsonLine({ type: 'log', taskId, mapIndex, ...line }),
  onNote: ({ taskId, mapIndex }: PrintedTask, text: string) => printJsonLine({ type: 'note', taskId, mapIndex, text }),
};

export const textPrinter = {
  onTransition(change: PrintedChange) {
    const { at, state, tryNumber, cause } = change;
    const more = [
      tryNumber > 1 ? `try ${tryNumber}` : '',
      cause && cause.toLowerCase() !== 'ok' ? cause.toLowerCase() : '',
    ]
      .filter(Boolean)
      .join(', ');
    printLine(`${formatClock(at)} ${nameOf(change)} ${state.toLowerCase()}${more ? ` (${more})` : ''}`);
  },
  onLogLine: (task: PrintedTask, line: LogLine) => printLine(formatLogLine(task, line)),
  onNote: (task: PrintedTask, text: string) =>
    printLine(`${formatClock(new Date().toISOString())} ${nameOf(task)}: ${text}`),
};

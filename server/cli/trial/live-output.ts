import { styleText } from 'node:util';
import { formatLogLine } from '../run-printers.ts';
import { viewOf } from './board-view.ts';
import { treeOf, type TreeTask } from './dag-tree.ts';
import type { RunBoard } from './run-board.ts';
import { createScreen, type Terminal } from './screen.ts';
import { describeSummary } from './summary.ts';
import type { TrialOutput } from './trial-output.ts';

export interface LiveOutputOptions {
  terminal: Terminal;
  colours: boolean;
  dagId: string;
  tasks: readonly TreeTask[];
  board: RunBoard;
}

/** The tree at the foot of the terminal, what tasks print above it. */
export function createLiveOutput({ terminal, colours, dagId, tasks, board }: LiveOutputOptions): TrialOutput {
  const tree = treeOf(tasks);
  const startedAt = Date.now();
  const gray = (text: string) => (colours ? styleText('gray', text) : text);
  const screen = createScreen(terminal, () =>
    viewOf(
      { dagId, tree, board },
      { columns: terminal.columns, rows: terminal.rows, colours, now: Date.now(), startedAt },
    ),
  );
  screen.refresh();
  return {
    changed: () => screen.refresh(),
    logged(task, line) {
      const text = formatLogLine(task, line);
      const end = text.length - line.text.length;
      screen.print(gray(text.slice(0, end)) + text.slice(end));
    },
    ended(summary) {
      screen.close();
      terminal.write(`${['', ...describeSummary(summary)].join('\n')}\n`);
    },
    note: (text) => screen.print(text),
    pause: () => screen.pause(),
    close: () => screen.close(),
  };
}

/** The tree of a run as lines of a terminal. Pure: clock and size are parameters. */
import { styleText } from 'node:util';
import type { TaskState } from '#sdk/states.ts';
import type { TreeLine } from './dag-tree.ts';
import { countStates, isDone, type InstanceView, type RunBoard } from './run-board.ts';
import { formatSeconds } from './summary.ts';

type Colour = 'green' | 'red' | 'cyan' | 'yellow' | 'gray' | 'magenta';

const LOOKS: { [state in TaskState]: [symbol: string, colour: Colour] } = {
  none: ['·', 'gray'],
  scheduled: ['○', 'gray'],
  queued: ['○', 'cyan'],
  running: ['●', 'cyan'],
  success: ['✓', 'green'],
  failed: ['✗', 'red'],
  skipped: ['–', 'magenta'],
  upstream_failed: ['✗', 'gray'],
  up_for_retry: ['↻', 'yellow'],
  up_for_reschedule: ['◌', 'yellow'],
  deferred: ['◌', 'yellow'],
  cancelled: ['⊘', 'gray'],
  removed: ['⊘', 'gray'],
};
/** Of a mapped task the worst is shown: in this order. */
const WORST_FIRST: TaskState[] = [
  'failed',
  'running',
  'up_for_retry',
  'deferred',
  'up_for_reschedule',
  'queued',
  'scheduled',
  'none',
  'upstream_failed',
  'cancelled',
  'removed',
  'skipped',
  'success',
];

export interface View {
  dagId: string;
  tree: readonly TreeLine[];
  board: RunBoard;
}
export interface ViewOptions {
  columns: number;
  /** Most lines. */
  rows: number;
  colours: boolean;
  now: number;
  startedAt: number;
}

interface Row {
  state: TaskState;
  text: string;
}

export function viewOf({ dagId, tree, board }: View, options: ViewOptions): string[] {
  const paint = (colour: Colour, text: string) => (options.colours ? styleText(colour, text) : text);
  const rows = tree.map((line) => rowOf(line, board.instancesOf(line.taskIndex), options.now));
  const shown = fit(rows, Math.max(3, options.rows - 2));
  const lines = shown.map(({ state, text }) => {
    const cut = [...text].slice(0, options.columns - 1).join('');
    const [symbol, colour] = LOOKS[state];
    return cut.replace(symbol, paint(colour, symbol));
  });
  if (shown.length < rows.length) lines.push(paint('gray', `… and ${rows.length - shown.length} further tasks`));
  return [...lines, footer(dagId, tree.length, board, options)];
}

function rowOf({ guide, taskId, alsoAfter }: TreeLine, instances: InstanceView[], now: number): Row {
  const state = WORST_FIRST.find((candidate) => instances.some((instance) => instance.state === candidate)) ?? 'none';
  const parts = [`${guide}${LOOKS[state][0]} ${taskId}`];
  if (instances.some(({ mapIndex }) => mapIndex >= 0)) parts.push(`[${instances.length}] ${tally(instances)}`);
  else if (instances[0]) parts.push(detailOf(instances[0], now));
  if (alsoAfter.length > 0) parts.push(`← ${alsoAfter.join(', ')}`);
  return { state, text: parts.filter(Boolean).join('  ') };
}

function detailOf({ state, tryNumber, cause, runningSince, at }: InstanceView, now: number): string {
  const seconds =
    runningSince === null ? null : ((state === 'running' ? now : at.getTime()) - runningSince.getTime()) / 1000;
  const took = seconds === null || seconds < 0 ? '' : formatSeconds(seconds);
  const name = state === 'success' || state === 'none' ? '' : state;
  const more = [tryNumber > 1 ? `try ${tryNumber}` : '', cause && cause !== 'ok' ? cause : '']
    .filter(Boolean)
    .join(', ');
  return [name, more && `(${more})`, took].filter(Boolean).join(' ');
}

const tally = (instances: InstanceView[]): string => {
  const counts = new Map<TaskState, number>();
  for (const { state } of instances) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
};

/** What happens now comes before what is over, and that before what is still to come; the order of the tree stays. */
function fit(rows: Row[], most: number): Row[] {
  if (rows.length <= most) return rows;
  const rank = ({ state }: Row) => (state === 'failed' ? 0 : state === 'none' ? 3 : isDone(state) ? 2 : 1);
  const kept = new Set([...rows].sort((a, b) => rank(a) - rank(b)).slice(0, most - 1));
  return rows.filter((row) => kept.has(row));
}

function footer(dagId: string, taskCount: number, board: RunBoard, { now, startedAt, columns }: ViewOptions): string {
  const counts = countStates(board, taskCount);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const done = [...counts].reduce((sum, [state, count]) => sum + (isDone(state) ? count : 0), 0);
  const text = `${dagId}: ${done} of ${total} done, ${counts.get('running') ?? 0} running, ${formatSeconds((now - startedAt) / 1000)}`;
  return [...text].slice(0, columns - 1).join('');
}

import { describe, expect, it } from 'vitest';
import type { EventBody } from '#db/queries/events.ts';
import { viewOf } from '#server/cli/trial/board-view.ts';
import { treeOf } from '#server/cli/trial/dag-tree.ts';
import { createRunBoard } from '#server/cli/trial/run-board.ts';
import { createScreen } from '#server/cli/trial/screen.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const tasks = [
  { taskId: 'extract', upstream: [] },
  { taskId: 'process', upstream: ['extract'] },
  { taskId: 'report', upstream: ['process', 'extract'] },
];
const options = { columns: 80, rows: 24, colours: false, now: START + 5_000, startedAt: START };

function boardAfter(...bodies: [seconds: number, body: EventBody][]) {
  const board = createRunBoard(tasks.map((task) => task.taskId));
  bodies.forEach(([seconds, body], index) =>
    board.apply({ xid: '1', run_id: 1, run_seq: index + 1, at: new Date(START + seconds * 1_000), body }),
  );
  return board;
}
const view = (board: ReturnType<typeof boardAfter>, more: Partial<typeof options> = {}) =>
  viewOf({ dagId: 'sales', tree: treeOf(tasks), board }, { ...options, ...more });

describe('viewOf', () => {
  it('shows what runs with its time, what failed with its cause, what waits with nothing', () => {
    const board = boardAfter(
      [1, { t: [[0, -1, 'running', 1]] }],
      [2, { t: [[0, -1, 'success', 1, 'ok']] }],
      [3, { t: [[1, -1, 'running', 2]] }],
    );
    expect(view(board)).toEqual([
      '✓ extract  1.0 s',
      '└─ ● process  running (try 2) 2.0 s',
      '   └─ · report  ← extract',
      'sales: 1 of 3 done, 1 running, 5.0 s',
    ]);
    board.apply({
      xid: '1',
      run_id: 1,
      run_seq: 9,
      at: new Date(START + 4_000),
      body: { t: [[1, -1, 'failed', 2, 'exit_code']] },
    });
    expect(view(board)[1]).toBe('└─ ✗ process  failed (try 2, exit_code) 1.0 s');
  });

  it('a mapped task is one line that counts its instances and shows the worst', () => {
    const board = boardAfter(
      [1, { t: [[1, -1, 'none', 0]] }],
      [2, { t: [0, 1, 2].map((map) => [1, map, map === 2 ? 'failed' : 'success', 1]) }],
    );
    expect(view(board)[1]).toBe('└─ ✗ process  [3] 2 success, 1 failed');
    expect(view(board).at(-1)).toBe('sales: 3 of 5 done, 0 running, 5.0 s');
  });

  it('in a small terminal what failed or runs stays, and the number of the others is told', () => {
    const many = Array.from({ length: 50 }, (_, n) => ({ taskId: `t${n}`, upstream: [] }));
    const board = createRunBoard(many.map((task) => task.taskId));
    const event = { xid: '1', run_id: 1, run_seq: 1, at: new Date(START) };
    board.apply({
      ...event,
      body: {
        t: [
          [40, -1, 'failed', 1, 'exception'],
          [45, -1, 'running', 1],
        ],
      },
    });
    const lines = viewOf({ dagId: 'many', tree: treeOf(many), board }, { ...options, rows: 6 });
    expect(lines).toEqual([
      '· t0',
      expect.stringMatching(/✗ t40/),
      expect.stringMatching(/● t45/),
      '… and 47 further tasks',
      'many: 1 of 50 done, 1 running, 5.0 s',
    ]);
  });

  it('no line is wider than the terminal', () => {
    for (const line of view(boardAfter(), { columns: 12 })) expect([...line].length).toBeLessThan(12);
  });
});

describe('createScreen', () => {
  it('prints lines above, and draws the rest again in their place', () => {
    let written = '';
    const frames = [['one', 'two'], ['done']];
    const terminal = { columns: 80, rows: 24, write: (text: string) => (written += text) };
    const screen = createScreen(terminal, () => frames.shift() ?? []);
    screen.print('a log line');
    screen.close();
    screen.close();
    expect(written).toBe('\u001b[Ja log line\none\ntwo\n');
  });
});

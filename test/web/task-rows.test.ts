import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../web/components/topological-order.ts';
import { applyChanges, collectChanges, type RunEvent } from '../../web/pages/run/run-changes.ts';
import {
  countStates,
  mergeRows,
  rowFromSnapshot,
  rowToOpen,
  shownState,
  type TaskState,
} from '../../web/pages/run/task-rows.ts';

const START = Date.parse('2026-11-22T06:00:00Z');
const at = (second: number) => new Date(START + second * 1000).toISOString();

const snapshot = (state: TaskState, seq: number, more: Partial<Parameters<typeof rowFromSnapshot>[0]> = {}) =>
  rowFromSnapshot(
    {
      ...{ id: 'a', taskId: 'load', taskIndex: 0, mapIndex: -1, state, starting: false, tryNumber: 1, maxTries: 3 },
      ...{ queuedAt: at(0), startedAt: null, endedAt: null, cause: null, message: null },
      ...more,
    },
    seq,
  );

function event(seq: number, state: TaskState, tryNumber = 1): RunEvent {
  const task = { taskInstanceId: 'a', taskIndex: 0, taskId: 'load', mapIndex: -1 };
  const transitions = [{ ...task, state, tryNumber, cause: null, at: at(seq) }];
  return { cursor: String(seq), at: at(seq), kind: 'CHANGE', runState: null, transitions };
}
const after = (row: ReturnType<typeof snapshot>, ...events: RunEvent[]) =>
  applyChanges([row], collectChanges(events))[0];

describe('a task row', () => {
  it('takes its times from the transitions', () => {
    expect(after(snapshot('QUEUED', 1), event(2, 'RUNNING'), event(5, 'SUCCESS'))).toMatchObject({
      state: 'SUCCESS',
      startedAt: START + 2000,
      endedAt: START + 5000,
      seq: 5,
    });
  });

  it('ignores an event that its snapshot contains', () => {
    expect(after(snapshot('SUCCESS', 7, { endedAt: at(6) }), event(4, 'RUNNING'))).toMatchObject({ state: 'SUCCESS' });
  });

  it('ignores an event older than its times when the page was read after its cursor', () => {
    expect(after(snapshot('SUCCESS', 3, { endedAt: at(6) }), event(4, 'RUNNING'))).toMatchObject({ state: 'SUCCESS' });
  });

  it('forgets times, cause and message when it is cleared', () => {
    const failed = snapshot('FAILED', 3, { startedAt: at(1), endedAt: at(3), cause: 'exit_code', message: 'exit 1' });
    expect(after(failed, event(9, 'NONE'))).toMatchObject({
      state: 'NONE',
      startedAt: null,
      cause: null,
      message: null,
    });
  });

  it('is starting from the claim for a cluster until its code runs, and waits since it was queued', () => {
    const queued = snapshot('QUEUED', 1, { tryNumber: 0 });
    const claimed = after(queued, event(2, 'QUEUED', 1))!;
    expect([shownState(queued), shownState(claimed)]).toEqual(['QUEUED', 'STARTING']);
    const told = after(claimed, event(3, 'QUEUED', 1))!;
    expect([shownState(told), told.queuedAt, told.seq]).toEqual(['STARTING', START, 3]);
    expect(shownState(after(told, event(4, 'RUNNING', 1))!)).toBe('RUNNING');
    expect(shownState(after(snapshot('QUEUED', 1, { starting: true }), event(2, 'QUEUED', 1))!)).toBe('STARTING');
  });

  it('stops starting when it is handed back, or cleared', () => {
    const claimed = snapshot('QUEUED', 1, { starting: true });
    const back = after(claimed, event(2, 'QUEUED', 0))!;
    expect([shownState(back), back.tryNumber]).toEqual(['QUEUED', 0]);
    expect(shownState(after(back, event(3, 'QUEUED', 1))!)).toBe('STARTING');
    expect(shownState(after(claimed, event(2, 'SCHEDULED', 1), event(3, 'QUEUED', 1))!)).toBe('QUEUED');
  });

  it('is counted as it is shown', () => {
    const rows = [snapshot('QUEUED', 1), snapshot('QUEUED', 1, { starting: true }), snapshot('FAILED', 1)];
    expect(Object.fromEntries(countStates(rows))).toEqual({ QUEUED: 1, STARTING: 1, FAILED: 1 });
  });

  it('never goes back, whatever is delivered again', () => {
    const history = [
      event(2, 'RUNNING'),
      event(3, 'UP_FOR_RETRY'),
      event(4, 'QUEUED', 2),
      event(5, 'RUNNING', 2),
      event(6, 'SUCCESS', 2),
    ];
    fc.assert(
      fc.property(fc.nat(history.length), fc.nat(history.length), (from, to) => {
        const seen = after(snapshot('QUEUED', 1), ...history.slice(0, to))!;
        expect(after(seen, ...history.slice(Math.min(from, to), to))).toEqual(seen);
        expect(after(seen, ...history.slice(Math.min(from, to)))).toEqual(after(snapshot('QUEUED', 1), ...history));
      }),
    );
  });

  it('keeps what events brought when an older page comes in', () => {
    const running = after(snapshot('QUEUED', 1), event(4, 'RUNNING'))!;
    expect(mergeRows([running], [snapshot('QUEUED', 2, { maxTries: 6 })], (index) => index)).toMatchObject([
      { state: 'RUNNING', maxTries: 6 },
    ]);
  });
});

describe('what a run opens on', () => {
  it('is the first failure, before what failed because of it', () => {
    const rows = [snapshot('UPSTREAM_FAILED', 1), snapshot('RUNNING', 1), snapshot('FAILED', 1)];
    expect(rowToOpen(rows)?.state).toBe('FAILED');
    expect(rowToOpen(rows.slice(0, 2))?.state).toBe('RUNNING');
    expect(rowToOpen([])).toBeUndefined();
  });
});

describe('topologicalOrder', () => {
  it('puts every task after its upstreams and loses none', () => {
    const dag = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 }).map((ups) =>
      // Edges go from a larger to a smaller hidden rank, so there is no cycle; the authored order is the reverse.
      ups.map((list, i) => ({
        taskIndex: ups.length - i,
        taskId: `t${i}`,
        upstream: [...new Set(list.filter((up) => up < i).map((up) => `t${up}`))],
      })),
    );
    fc.assert(
      fc.property(dag, (tasks) => {
        const order = topologicalOrder(tasks).map((task) => task.taskId);
        expect([...order].sort()).toEqual(tasks.map((task) => task.taskId).sort());
        for (const task of tasks)
          for (const up of task.upstream) expect(order.indexOf(up)).toBeLessThan(order.indexOf(task.taskId));
      }),
    );
  });

  it('keeps the authored order where nothing speaks against it, and stands a chain of 20,000', () => {
    const task = (taskIndex: number, ...upstream: string[]) => ({ taskIndex, taskId: `t${taskIndex}`, upstream });
    expect(topologicalOrder([task(0), task(1), task(2, 't1'), task(3, 't0')]).map((one) => one.taskIndex)).toEqual([
      0, 1, 2, 3,
    ]);
    const chain = Array.from({ length: 20_000 }, (_, i) => task(20_000 - i, ...(i > 0 ? [`t${20_001 - i}`] : [])));
    expect(topologicalOrder(chain)).toHaveLength(20_000);
  });
});

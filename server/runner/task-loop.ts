import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NodeWork, TaskResult } from './messages.ts';
import type { ChildChannel } from './node-child-channel.ts';
import { failedResult } from './node-child-result.ts';

/** Runs one task; never rejects. */
export type RunWork = (work: NodeWork, signal: AbortSignal) => Promise<TaskResult>;

/** Runs the tasks of a node child, one at a time. */
export interface TaskLoop {
  push(work: NodeWork): void;
  /** From now on tasks can run. */
  load(runWork: RunWork): void;
  /** Gives back those of them that have not begun. */
  takeBack(dispatchIds: string[]): string[];
  run(): void;
  /** Whose code is running here: also of a timer or an event that a task has left behind. */
  owner(): string | null;
  /** Tells the running task to stop; false when it does not listen. */
  abort(): boolean;
  /** Ends the running task with an error that no promise of it has caught. */
  fail(error: unknown): void;
}

interface Current {
  dispatchId: string;
  abort: AbortController;
}

/** Between two looks at what the supervisor says, while short tasks follow each other. */
const TURN_MS = 5;

export function createTaskLoop(channel: ChildChannel): TaskLoop {
  const storage = new AsyncLocalStorage<Current>();
  const queue: NodeWork[] = [];
  let current: Current | null = null;
  let running = false;
  let runWork: RunWork | null = null;

  const runNext = async (runOne: RunWork, work: NodeWork) => {
    const { dispatchId } = work.dispatch;
    const mine: Current = { dispatchId, abort: new AbortController() };
    current = mine;
    // Written before the code runs, with the end of the one before: what has begun is known even if this one blocks or crashes.
    channel.say({ type: 'began', dispatchId });
    channel.flush();
    const startedAt = performance.now();
    const result = await storage.run(mine, () => runOne(work, mine.abort.signal));
    if (result.stack) channel.print(dispatchId, 'e', `${result.stack}\n`);
    channel.say({ type: 'ended', dispatchId, result, ms: performance.now() - startedAt });
    current = null;
  };
  const run = async (runOne: RunWork) => {
    running = true;
    let turn = performance.now();
    for (let work = queue.shift(); work; work = queue.shift()) {
      await runNext(runOne, work);
      if (performance.now() - turn < TURN_MS) continue;
      channel.flush();
      await nextTurn();
      turn = performance.now();
    }
    running = false;
    channel.flush();
  };

  return {
    push: (work) => void queue.push(work),
    load: (loaded) => void (runWork = loaded),
    takeBack(dispatchIds) {
      const back = queue.filter(({ dispatch }) => dispatchIds.includes(dispatch.dispatchId));
      queue.splice(0, queue.length, ...queue.filter((work) => !back.includes(work)));
      return back.map(({ dispatch }) => dispatch.dispatchId);
    },
    run() {
      if (!running && runWork) void run(runWork);
    },
    owner: () => (storage.getStore() ?? current)?.dispatchId ?? null,
    abort() {
      if (!current) return false;
      const heard = getEventListeners(current.abort.signal, 'abort').length > 0;
      current.abort.abort(new Error('The task is being stopped.'));
      return heard;
    },
    fail(error) {
      if (!current) return;
      const result = failedResult(error, {});
      if (result.stack) channel.print(current.dispatchId, 'e', `Uncaught ${result.stack}\n`);
      channel.say({ type: 'ended', dispatchId: current.dispatchId, result, ms: 0 });
    },
  };
}

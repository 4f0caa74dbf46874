/** Brings the changes of a run and what its tasks print into one order: a task prints after it has begun and before it has ended. */
import type { EventRow } from '#db/queries/events.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import type { LogChunk } from '#sdk/protocol.ts';
import type { LogLine } from '../task-log.ts';
import { linesOf } from './log-lines.ts';
import type { RunBoard } from './run-board.ts';
import type { TrialOutput } from './trial-output.ts';

export interface RunFeed {
  /** Those of other runs are ignored. */
  logs(runId: number, chunks: readonly LogChunk[]): void;
  event(event: EventRow): void;
  /** Shows what still waits. */
  flush(): void;
}

interface Held {
  task: { taskId: string; mapIndex: number };
  lines: LogLine[];
}

export interface RunFeedDeps {
  taskIds: readonly string[];
  board: RunBoard;
  output: TrialOutput;
  /** What is printed, as a person should see it. */
  tidy(text: string): string;
}

export function createRunFeed({ taskIds, board, output, tidy }: RunFeedDeps): RunFeed {
  /** What was printed by tasks whose beginning has not been seen yet. */
  const held = new Map<string, Held>();

  const show = ({ task, lines }: Held) =>
    lines.forEach((line) => output.logged(task, { ...line, text: tidy(line.text) }));

  return {
    logs(runId, chunks) {
      for (const { dispatchId, body } of chunks) {
        const key = parseDispatchId(dispatchId);
        if (key?.runId !== runId) continue;
        const { taskIndex, mapIndex } = key;
        const task = { taskId: taskIds[taskIndex] ?? '', mapIndex };
        const instance = board.instancesOf(taskIndex).find((one) => one.mapIndex === mapIndex);
        const name = `${taskIndex}.${mapIndex}`;
        if (instance?.state === 'running') show({ task, lines: linesOf(body) });
        else held.set(name, { task, lines: [...(held.get(name)?.lines ?? []), ...linesOf(body)] });
      }
    },
    event(event) {
      for (const change of board.apply(event)) {
        output.changed([change], board);
        const name = `${change.taskIndex}.${change.mapIndex}`;
        const waiting = held.get(name);
        if (!waiting || change.state !== 'running') continue;
        held.delete(name);
        show(waiting);
      }
    },
    flush() {
      for (const waiting of held.values()) show(waiting);
      held.clear();
    },
  };
}

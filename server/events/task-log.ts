/** Follows the log of one try: reads what is there, then again whenever a piece arrives or the run moves. */
import type { Db } from '#db/client.ts';
import { findTaskInstances, type TaskKey } from '#db/queries/task-instances.ts';
import type { LogPage } from '#schema/log-page.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { readLogPage } from '#schema/read-log-page.ts';
import { isFinishedTaskState } from '#sdk/states.ts';
import { runGroup } from './event-groups.ts';
import type { EventTail } from './event-tail.ts';
import type { RecentEvents } from './recent-events.ts';
import type { LogWakeUps } from './log-wake-ups.ts';
import { createWakeUp } from './wake-up.ts';

const MOST_LINES = 1_000;
/** The net under lost notifications; also how soon a piece that never came is given up. */
const POLL_MS = 3_000;

export interface TaskLogDeps {
  db: Db;
  logs: Pick<LogReader, 'read'>;
  tail: EventTail;
  recent: RecentEvents;
  wakeUps: LogWakeUps;
}

export async function* taskLog(
  { db, logs, tail, recent, wakeUps }: TaskLogDeps,
  { task, tryNumber, after }: { task: TaskKey; tryNumber: number | null; after: number },
  signal: AbortSignal,
): AsyncGenerator<LogPage, void> {
  const wakeUp = createWakeUp(signal);
  const { leave } = await tail.join(runGroup(task.runId, recent), { push: wakeUp.raise, pull: async () => null });
  let offset = after;
  let pinned = tryNumber;
  let watched: { uuid: string; leave(): void } | undefined;

  const watch = (uuid: string | null): boolean => {
    if (uuid === null || watched?.uuid === uuid) return false;
    watched?.leave();
    watched = { uuid, leave: wakeUps.add(uuid, wakeUp.raise) };
    return true;
  };

  try {
    while (!signal.aborted) {
      // Asked before the page is read: a try that came after it would be found by the reading
      const isOver = !watched && (await hasEnded(db, task));
      const page = await readLogPage({ db, logs }, task, { tryNumber: pinned, offset, limit: MOST_LINES });
      // A piece may have come between the reading and the watching
      if (page && watch(page.uuid)) continue;
      pinned = page?.tryNumber ?? pinned;
      const isDone = page ? page.complete : isOver;
      if (isDone || (page && page.nextOffset > offset)) {
        yield { lines: page?.lines ?? [], nextOffset: page?.nextOffset ?? offset, complete: isDone };
        if (isDone) return;
        offset = page?.nextOffset ?? offset;
        continue;
      }
      await wakeUp.wait(POLL_MS);
    }
  } finally {
    watched?.leave();
    leave();
  }
}

/** A task that has finished makes no further try by itself. */
async function hasEnded(db: Db, task: TaskKey): Promise<boolean> {
  const [row] = await findTaskInstances(db, [task]);
  return !row || isFinishedTaskState(row.state);
}

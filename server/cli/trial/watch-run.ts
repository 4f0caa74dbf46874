import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { readRunEvents, type EventRow } from '#db/queries/events.ts';
import { isFinishedRunState, type RunState } from '#sdk/states.ts';

const PAGE = 500;
/** The net under a lost notification. */
const LOOK_AGAIN_MS = 1_000;

export interface WatchDeps {
  db: Db;
  listener: Listener;
  signal: AbortSignal;
}

/** Reads the events of a run as they are committed, to its end. Null: the signal came first. */
export async function watchRun(
  { db, listener, signal }: WatchDeps,
  runId: number,
  onEvent: (event: EventRow) => void,
): Promise<RunState | null> {
  let rouse: () => void = () => undefined;
  let woken = false;
  const wake = () => {
    woken = true;
    rouse();
  };
  const off = listener.on('millrace_event', wake);
  signal.addEventListener('abort', wake);
  const sleep = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      rouse = () => (clearTimeout(timer), resolve());
      if (woken) rouse();
    });
  try {
    for (let after = 0; !signal.aborted;) {
      woken = false;
      const rows = await readRunEvents(db, { runId, after, limit: PAGE });
      for (const row of rows) {
        onEvent(row);
        after = row.run_seq;
        if (row.body.run && isFinishedRunState(row.body.run)) return row.body.run;
      }
      if (rows.length < PAGE) await sleep();
    }
    return null;
  } finally {
    off();
    signal.removeEventListener('abort', wake);
  }
}

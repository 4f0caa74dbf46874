import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { readResuming } from './resume.ts';
import { createTaskNotes } from './task-notes.ts';
import { followTaskLog, type LogLine } from './task-log.ts';

export interface Transition {
  taskInstanceId: string;
  taskId: string;
  mapIndex: number;
  state: string;
  tryNumber: number;
  cause: string | null;
  at: string;
}
export interface RunWatcher {
  onTransition(transition: Transition): void;
  /** Absent: logs are not read. */
  onLogLine?: (transition: Transition, line: LogLine) => void;
  /** Why a try failed or a task waits. Absent: nobody asks. */
  onNote?: (transition: Transition, text: string) => void;
}

interface Snapshot {
  dagRun: { state: string; cursor: string } | null;
}
interface RunEvent {
  dagRunEvents: { cursor: string; kind: 'CHANGE' | 'RESYNC'; runState: string | null; transitions: Transition[] };
}

const SNAPSHOT = /* GraphQL */ `
  query RunSnapshot($runId: ID!) {
    dagRun(runId: $runId) {
      state
      cursor
    }
  }
`;
const EVENTS = /* GraphQL */ `
  subscription RunEvents($runId: ID!, $after: String) {
    dagRunEvents(runId: $runId, after: $after) {
      cursor
      kind
      runState
      transitions {
        taskInstanceId
        taskId
        mapIndex
        state
        tryNumber
        cause
        at
      }
    }
  }
`;
/** A Pod may be over before anybody has seen it run. */
const HAS_LOG = new Set(['RUNNING', 'SUCCESS', 'FAILED', 'UP_FOR_RETRY']);
const FINISHED = new Set(['SUCCESS', 'FAILED', 'CANCELLED']);
/** How long the last lines of a log may take after the run has ended. */
const LOG_PATIENCE_MS = 10_000;

/** Watches a run from its first event to its end and tells how it ended. */
export async function followRun(client: ApiClient, runId: string, watcher: RunWatcher): Promise<string> {
  let cursor = '0';
  let state = '';
  const logs = new Map<string, Promise<void>>();
  const notes = watcher.onNote && createTaskNotes(client, watcher.onNote);

  /** That a launcher has taken a task of the queue changes nothing that is shown. */
  const shown = new Map<string, string>();
  function isNews({ taskInstanceId, state: now, tryNumber }: Transition): boolean {
    const was = shown.get(taskInstanceId);
    shown.set(taskInstanceId, `${now} ${tryNumber}`);
    return was !== `${now} ${tryNumber}`;
  }
  function onTransition(transition: Transition): void {
    if (isNews(transition)) watcher.onTransition(transition);
    notes?.onTransition(transition);
    const { onLogLine } = watcher;
    const { taskInstanceId, tryNumber, state: now, cause } = transition;
    const key = `${taskInstanceId} ${tryNumber}`;
    if (!onLogLine || !HAS_LOG.has(now) || (now !== 'RUNNING' && cause === null) || logs.has(key)) return;
    // A log that cannot be read must not hide how the run ends.
    const reading = followTaskLog(client, taskInstanceId, { tryNumber, tail: null }, (line) =>
      onLogLine(transition, line),
    );
    logs.set(
      key,
      reading.catch((error: Error) =>
        onLogLine(transition, { at: transition.at, stream: 'SYSTEM', text: error.message }),
      ),
    );
  }

  await readResuming(
    () => client.subscribe<RunEvent>(EVENTS, { runId, after: cursor }),
    async ({ dagRunEvents: event }) => {
      if (event.kind === 'RESYNC') {
        const { dagRun } = await client.request<Snapshot>(SNAPSHOT, { runId });
        if (!dagRun) throw new CommandError(`Run ${runId} is gone.`, { exitCode: 3 });
        cursor = dagRun.cursor;
        state = dagRun.state;
      } else {
        cursor = event.cursor;
        state = event.runState ?? state;
        event.transitions.forEach(onTransition);
      }
      return FINISHED.has(state);
    },
  );
  await atMost(LOG_PATIENCE_MS, Promise.all([...logs.values(), notes?.stop()]));
  return state;
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

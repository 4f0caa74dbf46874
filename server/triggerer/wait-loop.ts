/** Looks for what deferred tasks wait for, when it is due. Nothing is kept in memory of a wait that is not being looked at. */
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import { CANCEL_CHILD } from '#db/queries/task-transitions/end-waits.ts';
import {
  claimDueWaits,
  dropWait,
  millisecondsToNextWait,
  putOffWait,
  type DueWait,
} from '#db/queries/trigger-waits.ts';
import { startLoop, type Loop } from '../scheduler/loop.ts';
import { overdueApproval } from './settle-approval.ts';
import { lookAgain } from './settle-sensor.ts';
import { cancelChild, lookAtChild } from './settle-trigger-dag.ts';
import type { Settled, TriggererDeps } from './triggerer-deps.ts';

/** Looks at once; one that hangs ends by its own time limit and does not keep the others. */
const MOST_LOOKS = 128;
const LEASE_SECONDS = 60;
/** A look that broke is tried again. */
const AFTER_ERROR_SECONDS = 10;
/** The net under lost notifications. */
const MOST_MS = 5_000;

export function startWaitLoop(deps: TriggererDeps): Loop {
  const { db, listener, log, lookLeaseSeconds = LEASE_SECONDS } = deps;
  const looks = new Set<Promise<void>>();
  const stopped = new AbortController();

  const pass = async (): Promise<number> => {
    const room = MOST_LOOKS - looks.size;
    if (room <= 0) return Infinity;
    const waits = await claimDueWaits(db, room, lookLeaseSeconds);
    for (const wait of waits) start(wait);
    if (waits.length === room) return looks.size < MOST_LOOKS ? 0 : Infinity;
    return Math.max(1, (await millisecondsToNextWait(db)) ?? Infinity);
  };
  const loop = startLoop({ name: 'look for what tasks wait for', mostMs: MOST_MS, onError: deps.onError, pass });

  const start = (wait: DueWait) => {
    const look = lookOnce(deps, wait, stopped.signal)
      .then((seconds) => {
        // Sooner than the loop would look by itself
        if (seconds !== null && seconds * 1000 < MOST_MS) loop.wake();
      })
      .catch(async (error: unknown) => {
        if (stopped.signal.aborted) return;
        log.warn(
          { error, runId: wait.runId, task: wait.taskIndex, kind: wait.kind },
          'a look for a waiting task broke',
        );
        await putOffWait(db, wait, AFTER_ERROR_SECONDS);
      })
      .catch((error: unknown) => deps.onError(error, 'put off a wait'))
      .finally(() => {
        const wasFull = looks.size >= MOST_LOOKS;
        looks.delete(look);
        if (wasFull) loop.wake();
      });
    looks.add(look);
  };

  const off = [listener.on('millrace_trigger', loop.wake), listener.onResync(loop.wake)];
  return {
    wake: loop.wake,
    async stop() {
      for (const stop of off) stop();
      stopped.abort();
      await loop.stop();
      await Promise.all(looks);
    },
  };
}

/** Seconds to the next look; null: there is none. */
async function lookOnce(deps: TriggererDeps, wait: DueWait, signal: AbortSignal): Promise<number | null> {
  if (wait.kind === CANCEL_CHILD) {
    await cancelChild(deps, wait);
    await dropWait(deps.db, wait);
    return null;
  }
  const step = await stepOf(deps, wait, signal);
  if (step === null || signal.aborted) return null;
  if ('wait' in step) {
    await putOffWait(deps.db, wait, step.wait);
    return step.wait;
  }
  const report = { ...step.report, dispatchId: formatDispatchId(wait), logBytes: 0 };
  const { answers } = await deps.engine.report({ workerId: null, reports: [report] });
  // Cleared, marked or cancelled meanwhile: then nothing waits any more
  if (answers[0] !== 'ACCEPTED') await dropWait(deps.db, wait);
  return null;
}

type Step = { wait: number } | { report: Settled } | null;

async function stepOf(deps: TriggererDeps, wait: DueWait, signal: AbortSignal): Promise<Step> {
  if (wait.kind === 'sensor') return lookAgain(deps, wait, signal);
  if (wait.kind === 'trigger_dag') return lookAtChild(deps, wait);
  if (wait.kind !== 'approval') throw new Error(`Nobody knows how to look for '${wait.kind}'.`);
  const end = overdueApproval(wait);
  // A year: its timeout comes first
  return end ? { report: end } : { wait: 31_536_000 };
}

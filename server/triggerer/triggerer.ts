/**
 * The triggerer: takes the tasks that need no worker from their queue, and looks for what they wait for. Any number run side by side: a
 * wait is a row, and whoever looks holds it for a moment only.
 */
import { hostname } from 'node:os';
import { SYSTEM_QUEUE } from '#sdk/system-tasks.ts';
import { isFinishedRunState, isFinishedTaskState } from '#sdk/states.ts';
import type { ConsumedEvent } from '#db/queries/event-consumer.ts';
import { wakeWatchers } from '#db/queries/trigger-waits.ts';
import { startEventConsumer } from '../scheduler/consume-events.ts';
import { createDirectWorkerApi } from '../worker/direct-worker-api.ts';
import { startWorker } from '../worker/worker.ts';
import { createSettler } from './settler.ts';
import type { TriggererDeps } from './triggerer-deps.ts';
import { startWaitLoop } from './wait-loop.ts';

/** Tasks that are being settled at once; each takes a few queries. */
const SLOTS = 200;
const DRAIN_MS = 5_000;

export interface Triggerer {
  stop(): Promise<void>;
}

export async function startTriggerer(deps: TriggererDeps): Promise<Triggerer> {
  const { db, engine, listener, vault, log, name, version } = deps;
  const onError = (error: unknown) => deps.onError(error, 'settle tasks of the system');
  const worker = await startWorker({
    api: createDirectWorkerApi({ db, engine, listener, appendLogs: () => Promise.resolve() }),
    info: { name, queues: [SYSTEM_QUEUE], slots: SLOTS, version, hostname: hostname(), pid: process.pid },
    supervise: (onEvent) => createSettler({ db, engine, vault, onEvent, onError }),
    onError,
  });
  const looks = startWaitLoop(deps);
  const events = startEventConsumer({
    name: 'waits',
    db,
    listener,
    log,
    handle: async (trx, batch) => {
      const runIds = [...new Set(batch.filter(hasEnd).map((event) => event.runId ?? 0))];
      if (runIds.length > 0) await wakeWatchers(trx, runIds);
    },
  });
  return {
    async stop() {
      await Promise.all([events.stop(), worker.stop(DRAIN_MS)]);
      await looks.stop();
    },
  };
}

/** A run or a task of it has ended. */
const hasEnd = ({ runId, body }: ConsumedEvent): boolean =>
  runId !== null &&
  ((body.run !== undefined && isFinishedRunState(body.run)) ||
    (body.t ?? []).some(([, , state]) => isFinishedTaskState(state)));

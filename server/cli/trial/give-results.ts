import type { Engine } from '#db/engine/engine.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { GIVEN_QUEUE, type Trial } from './plan-trial.ts';

const SLOTS = 100;

/** Reports the results that were given, as the worker of the tasks that stand in for others. Returns its end. */
export async function giveResults(
  engine: Engine,
  given: Trial['given'],
  onError: (error: unknown) => void,
): Promise<() => void> {
  const info = { name: 'given', queues: [GIVEN_QUEUE], slots: SLOTS, version: '', hostname: null, pid: process.pid };
  const workerId = await engine.registerWorker(info);
  const report = ({ dispatchId, taskId }: Dispatch) => {
    const xcoms = given.get(taskId) ?? null;
    return engine.report({ workerId, reports: [{ dispatchId, outcome: 'success', cause: 'ok', xcoms, logBytes: 0 }] });
  };
  return engine.attachLocalWorker({
    workerId,
    queues: [GIVEN_QUEUE],
    takeSlots: () => SLOTS,
    deliver: (dispatches) => void Promise.all(dispatches.map(report)).catch(onError),
  });
}

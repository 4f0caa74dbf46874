import type { SensorTaskSpec } from '#sdk/dag-spec.ts';
import { lookOutside } from '../operators/look.ts';
import type { TaskResult } from './messages.ts';
import { repeatLook } from './repeat-look.ts';
import type { Runtime } from './runtime.ts';
import type { Ending } from './task-report.ts';

/** Runs sensors that need no code of a user: looks are short and wait for input and output only, so they run in the supervisor itself. */
export function createLookRuntime(): Runtime<'look'> {
  const running = new Set<AbortController>();
  return {
    start(task, { target, connections }) {
      const abort = new AbortController();
      running.add(abort);
      task.control = { signal: () => abort.abort() };
      task.began(null);
      const { dispatchId, task: spec, waiting } = task.dispatch;
      void repeatLook({
        rules: spec as SensorTaskSpec,
        waiting: waiting ?? { elapsed: 0, pokes: 0 },
        seed: dispatchId,
        signal: abort.signal,
        look: () => lookOutside(target, connections, abort.signal),
        onNothing: (note) => task.log.system(`Not yet${note === null ? '.' : `: ${note}`}`),
      })
        .then(
          (result) => task.end(abort.signal.aborted ? exited(null) : exited(result)),
          (error: Error) =>
            task.end(
              abort.signal.aborted ? exited(null) : { how: 'lost', message: `The look broke: ${error.message}` },
            ),
        )
        .finally(() => running.delete(abort));
    },
    setPaused: () => undefined,
    stop() {
      for (const abort of running) abort.abort();
    },
  };
}

const exited = (result: TaskResult | null): Ending => ({
  how: 'exited',
  code: null,
  signal: null,
  result,
  peakMemory: null,
  outOfMemory: false,
  lastLine: null,
});

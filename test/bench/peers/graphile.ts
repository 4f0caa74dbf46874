/** graphile-worker in a process of its own: adds jobs in one call and works them off. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, makeWorkerUtils, run, type Runner, type WorkerUtils } from 'graphile-worker';
import { nowUs, serveSide } from '../sides/serve.ts';

interface OpenRequest {
  url: string;
  slots: number;
  batched: boolean;
}

let runner: Runner;
let utils: WorkerUtils;
let done = 0;
let waiting: { until: number; resolve(): void } | null = null;
const starts: { runId: string; at: number }[] = [];

/** Completion is what its own event says: the job's row is gone. */
function countCompletions(): void {
  runner.events.on('job:complete', () => {
    done++;
    if (waiting && done >= waiting.until) waiting.resolve();
  });
}

const next = (jobs: number): Promise<void> =>
  new Promise((resolve) => {
    waiting = { until: done + jobs, resolve };
  });

serveSide({
  async open({ url, slots, batched }: OpenRequest) {
    const logger = new Logger(() => (level, message) => {
      if (level === 'error') process.stderr.write(`graphile-worker: ${message}\n`);
    });
    utils = await makeWorkerUtils({ connectionString: url, logger });
    await utils.migrate();
    runner = await run({
      connectionString: url,
      logger,
      concurrency: slots,
      maxPoolSize: 10,
      noHandleSignals: true,
      taskList: {
        bench(payload) {
          starts.push({ runId: String((payload as { n: number }).n), at: nowUs() });
        },
      },
      preset: batched ? { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } } : {},
    });
    countCompletions();
  },
  async close() {
    await runner.stop();
    await utils.release();
  },
  async burst({ jobs }: { jobs: number }) {
    const begin = performance.now();
    const completed = next(jobs);
    await utils.addJobs(Array.from({ length: jobs }, (_, n) => ({ identifier: 'bench', payload: { n } })));
    await completed;
    starts.length = 0;
    return { ms: performance.now() - begin };
  },
  async triggerIdle({ samples, gapMs }: { samples: number; gapMs: number }) {
    const triggers: typeof starts = [];
    for (let n = 0; n < samples; n++) {
      await sleep(gapMs * (0.75 + Math.random() / 2));
      const at = nowUs();
      await utils.addJob('bench', { n });
      triggers.push({ runId: String(n), at });
    }
    return triggers;
  },
  takeStarts: () => starts.splice(0),
});

/** BullMQ in a process of its own: adds jobs in one call and works them off; finished jobs are removed. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { nowUs, serveSide } from '../sides/serve.ts';

const OPTIONS = { removeOnComplete: true, removeOnFail: true };

let queue: Queue;
let worker: Worker;
let done = 0;
let waiting: { until: number; resolve(): void } | null = null;
const starts: { runId: string; at: number }[] = [];

const next = (jobs: number): Promise<void> =>
  new Promise((resolve) => {
    waiting = { until: done + jobs, resolve };
  });

serveSide({
  async open({ socket, slots }: { socket: string; slots: number }) {
    const connection = { path: socket, maxRetriesPerRequest: null };
    const name = `bench-${randomUUID()}`;
    queue = new Queue(name, { connection });
    worker = new Worker(
      name,
      (job) => {
        starts.push({ runId: String((job.data as { n: number }).n), at: nowUs() });
        return Promise.resolve();
      },
      { connection, concurrency: slots },
    );
    worker.on('error', (error) => process.stderr.write(`BullMQ: ${error.message}\n`));
    worker.on('completed', () => {
      done++;
      if (waiting && done >= waiting.until) waiting.resolve();
    });
    await worker.waitUntilReady();
  },
  async close() {
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
  },
  async burst({ jobs }: { jobs: number }) {
    const begin = performance.now();
    const completed = next(jobs);
    await queue.addBulk(Array.from({ length: jobs }, (_, n) => ({ name: 'bench', data: { n }, opts: OPTIONS })));
    await completed;
    starts.length = 0;
    return { ms: performance.now() - begin };
  },
  async triggerIdle({ samples, gapMs }: { samples: number; gapMs: number }) {
    const triggers: typeof starts = [];
    for (let n = 0; n < samples; n++) {
      await sleep(gapMs * (0.75 + Math.random() / 2));
      const at = nowUs();
      await queue.add('bench', { n }, OPTIONS);
      triggers.push({ runId: String(n), at });
    }
    return triggers;
  },
  takeStarts: () => starts.splice(0),
});

/**
 * Variant (a): the engine and the worker's loop in one process over Postgres; a task is a call that returns. No GraphQL, no
 * supervisor, no process of a task. With `role` api or worker: two processes on one database, as in a service of several.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { deployDag } from '#db/queries/dag.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { createAnswered, type Answered } from './answered.ts';
import { noOpSupervisor, type HandlerStart } from './no-op-supervisor.ts';
import { nowUs, serveSide } from './serve.ts';

interface OpenRequest {
  url: string;
  slots: number;
  role: 'all' | 'api' | 'worker';
}

async function open({ url, slots, role }: OpenRequest) {
  const onError = (error: unknown) => process.stderr.write(`${String(error)}\n`);
  const database = createDatabase(url);
  const { db, pool } = database;
  const engine = createEngine({ url, db, pool, onError });
  const starts: HandlerStart[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  let answered: Answered | null = null;
  if (role !== 'api') {
    const listener = createListener(url);
    await listener.start();
    answered = createAnswered(createDirectWorkerApi({ db, engine, listener, appendLogs: () => Promise.resolve() }));
    const info = {
      name: `bench ${process.pid}`,
      queues: ['default'],
      slots,
      version: 'bench',
      hostname: null,
      pid: null,
    };
    const worker = await startWorker({ api: answered.api, info, supervise: noOpSupervisor(starts), onError });
    stops.push(
      () => worker.stop(0),
      () => listener.stop(),
    );
  }
  return {
    db,
    engine,
    starts,
    answered,
    async close() {
      for (const stop of stops) await stop();
      await engine.stop();
      await database.close();
    },
  };
}

let opened: Awaited<ReturnType<typeof open>> | null = null;
const side = () => {
  if (!opened) throw new Error('nothing is open');
  return opened;
};

interface Work {
  dagId: number;
  runs: number;
  /** Of one run. */
  tasks: number;
  /** Also says how long the event loop stood still; costs a timer. */
  watchLoop?: boolean;
}

const requests = ({ dagId, runs }: Work) => Array.from({ length: runs }, () => ({ dagId, kind: 'manual' as const }));

async function trigger(work: Work): Promise<{ ms: number; firstRun: number }> {
  const { engine, answered } = side();
  const begin = performance.now();
  const done = answered?.next(work.runs * work.tasks);
  const created = await engine.createRuns(requests(work));
  await done;
  return { ms: performance.now() - begin, firstRun: Math.min(...created.map(({ runId }) => runId)) };
}

serveSide({
  async open(request: OpenRequest) {
    opened = await open(request);
  },
  async close() {
    await opened?.close();
    opened = null;
  },
  /** What the API does with a spec that a client sends. */
  async deploy(input: unknown) {
    const begin = performance.now();
    const validated = validateDagSpec(input);
    if (!validated.ok) throw new Error(JSON.stringify(validated.issues.slice(0, 3)));
    const { dagId } = await deployDag(side().db, { spec: validated.spec, bundle: null, actor: 'bench' });
    return { dagId, ms: performance.now() - begin };
  },
  /** All runs in one call; until the last task's end is recorded. */
  async burst(work: Work) {
    const loop = monitorEventLoopDelay({ resolution: 1 });
    if (work.watchLoop) loop.enable();
    const { ms, firstRun } = await trigger(work);
    loop.disable();
    side().starts.length = 0;
    return { ms, firstRun, stallMs: work.watchLoop ? loop.max / 1e6 : null };
  },
  /** One run at a time. */
  async sequence(work: Work) {
    const ms: number[] = [];
    let firstRun = Infinity;
    for (let i = 0; i < work.runs; i++) {
      const one = await trigger({ ...work, runs: 1 });
      ms.push(one.ms);
      firstRun = Math.min(firstRun, one.firstRun);
    }
    side().starts.length = 0;
    return { ms, firstRun };
  },
  /** Triggers on an idle system; says when, by run. */
  async triggerIdle({ dagId, samples, gapMs }: { dagId: number; samples: number; gapMs: number }) {
    const triggers: HandlerStart[] = [];
    for (let i = 0; i < samples; i++) {
      await sleep(gapMs * (0.75 + Math.random() / 2));
      const at = nowUs();
      const [run] = await side().engine.createRuns([{ dagId, kind: 'manual' }]);
      triggers.push({ runId: String(run?.runId), at });
    }
    return triggers;
  },
  takeStarts: () => side().starts.splice(0),
});

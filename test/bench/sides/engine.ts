/**
 * Variants (a) and (c): the engine and the worker's loop in one process over Postgres, as in `millrace start`; a task is a call in
 * this process, or runs under the supervisor. With `role` api or worker: two processes on one database.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployDag } from '#db/queries/dag.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { openEngine, type OpenRequest } from './open-engine.ts';
import { nowUs, serveSide } from './serve.ts';
import type { HandlerStart } from './supervise.ts';

let opened: Awaited<ReturnType<typeof openEngine>> | null = null;
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
    opened = await openEngine(request);
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
  /** A DAG of a TypeScript file: loaded in its own process, bundled, stored. */
  async deployFile({ path, name }: { path: string; name: string }) {
    const begin = performance.now();
    const { dags, errors } = await loadDagFile(path);
    const wanted = dags.find(({ spec }) => spec.dagId === name);
    if (!wanted) throw new Error(`${path} has no DAG "${name}": ${JSON.stringify(errors)}`);
    const { dagId } = await deployDag(side().db, { ...wanted, actor: 'bench' });
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
  /** The handlers' first lines since the last call: seen here, or as the handlers' results tell them. */
  async takeStarts({ told }: { told: boolean }) {
    if (!told) return side().starts.splice(0);
    const { rows } = await side().pool.query<HandlerStart>(
      `select run_id::text as "runId", value::text::float8 as at from xcom where key = 'return_value'`,
    );
    return rows;
  },
});

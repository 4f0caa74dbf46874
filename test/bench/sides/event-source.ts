/** Makes things happen in one run at a steady rate, in a process of its own: each step claims a task or reports it, one event each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { deployDag } from '#db/queries/dag.ts';
import { readEventSeq } from '#db/queries/dag-runs.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { onError } from './open-engine.ts';
import { serveSide } from './serve.ts';

async function openSource(url: string) {
  const database = createDatabase(url);
  const engine = createEngine({ ...database, onError });
  const info = { name: 'events', queues: ['default'], slots: 1, version: 'bench', hostname: null, pid: null };
  return { ...database, engine, workerId: await engine.registerWorker(info) };
}

let opened: Awaited<ReturnType<typeof openSource>> | null = null;
const source = () => {
  if (!opened) throw new Error('nothing is open');
  return opened;
};

serveSide({
  async open({ url }: { url: string }) {
    opened = await openSource(url);
  },
  /** A run with as many tasks. */
  async run({ tasks }: { tasks: number }) {
    const { db, engine } = source();
    const list = Array.from({ length: tasks }, (_, i) => ({ taskId: `task_${i}`, kind: 'bash', command: ':' }));
    const validated = validateDagSpec({ dagId: 'events', maxActiveTasks: tasks, tasks: list });
    if (!validated.ok) throw new Error(JSON.stringify(validated.issues.slice(0, 3)));
    const { dagId } = await deployDag(db, { spec: validated.spec, bundle: null, actor: 'bench' });
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    return run?.runId;
  },
  /** So many events, one every `everyMs`; returns the run's last cursor. */
  async emit({ runId, events, everyMs }: { runId: number; events: number; everyMs: number }) {
    const { db, engine, workerId } = source();
    const begin = performance.now();
    let running: string | undefined;
    for (let i = 0; i < events; i++) {
      await sleep(Math.max(0, begin + i * everyMs - performance.now()));
      if (running) {
        const report = { dispatchId: running, outcome: 'success', cause: 'ok', logBytes: 0 } as const;
        await engine.report({ workerId, reports: [report] });
        running = undefined;
      } else {
        const [dispatch] = await engine.claim({ workerId, queues: ['default'], limit: 1 });
        running = dispatch?.dispatchId;
      }
    }
    return readEventSeq(db, runId);
  },
  async close() {
    await opened?.engine.stop();
    await opened?.close();
    opened = null;
  },
});

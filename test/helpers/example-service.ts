/** Everything that runs a DAG to its end, in this process: engine, scheduler, triggerer, a worker and its supervisor. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createListener } from '#db/listen.ts';
import { deployDag } from '#db/queries/dag.ts';
import { createBundleCache } from '#server/bundles/bundle-cache.ts';
import type { LoadedDag } from '#server/bundles/loaded-file.ts';
import { createLogger } from '#server/log.ts';
import { createSupervisorClient, type SupervisorClient } from '#server/runner/supervisor-client.ts';
import { startScheduler } from '#server/scheduler/scheduler.ts';
import { startTriggerer } from '#server/triggerer/triggerer.ts';
import { createArtifactCache } from '#server/worker/artifact-cache.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import type { Json } from '#sdk/protocol.ts';
import type { TestDatabase } from './database.ts';
import { createTestEngine, runStateOf, statesOf } from './engine.ts';
import { waitFor } from './wait-for.ts';

export async function startExampleService(database: TestDatabase, environment: { [name: string]: string } = {}) {
  const { db, pool } = database;
  const logs = new Map<string, string>();
  const home = mkdtempSync(join(tmpdir(), 'millrace-run-'));
  const engine = createTestEngine(database);
  const onError = (error: unknown) => engine.errors.push(error);
  const log = createLogger({ level: 'error', format: 'text' });
  const listener = createListener(database.url);
  await listener.start();
  const scheduler = startScheduler({ db, pool, engine, listener, log, onError });
  const triggerer = await startTriggerer({
    ...{ db, pool, engine, listener, log, onError },
    vault: null,
    name: 'triggerer',
    version: 'test',
  });
  const bundleOf = async (hash: string) =>
    (await pool.query<{ archive: Buffer }>('select archive from bundle where hash = $1', [hash])).rows[0]!.archive;
  const cache = createBundleCache({ dir: join(home, 'bundles'), fetch: bundleOf });
  const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  let supervisor: SupervisorClient | null = null;
  const api = createDirectWorkerApi({
    ...{ db, engine, listener },
    appendLogs: (chunks) => {
      for (const { dispatchId, body } of chunks) logs.set(dispatchId, (logs.get(dispatchId) ?? '') + body);
      return Promise.resolve();
    },
  });
  const results = createArtifactCache({ dir: join(home, 'results'), limit: 2 ** 30, fetch: api.readArtifact });
  const worker = await startWorker({
    api,
    info: { name: 'examples', queues: ['default'], slots: 4, version: 'test', hostname: null, pid: null },
    supervise: (onEvent) =>
      (supervisor = createSupervisorClient({
        home,
        fetchBundleDir: (hash) => cache.dirOf(hash),
        fetchArtifact: (dispatchId, artifact) => results.fileOf(dispatchId, artifact),
        environment: { PATH: path, ...environment },
        onEvent,
      })),
    onError,
  });
  const printed = () => [...logs.values()].join('');

  /** To the end of a run; without an end it throws all that is known of it. */
  async function run(dag: LoadedDag, conf: { [key: string]: Json } = {}) {
    // By hand only: the schedule would make runs of its own.
    const { dagId } = await deployDag(db, { ...dag, spec: { ...dag.spec, schedule: null }, actor: 'test' });
    const [created] = await engine.createRuns([
      { dagId, kind: 'manual', conf, triggeredBy: 'test', logicalDate: new Date('2026-02-03T00:00:00Z') },
    ]);
    const { runId } = created!;
    const seen = async () => ({ run: await runStateOf(database, runId), tasks: await statesOf(database, runId) });
    await waitFor(async () => ['success', 'failed'].includes((await runStateOf(database, runId)) ?? ''), {
      timeoutMs: 60_000,
      what: `the run of ${dag.spec.dagId}`,
    }).catch(async (error: unknown) => {
      throw new Error(`${JSON.stringify(await seen())}\n${printed()}\n${engine.errors.join('\n')}`, { cause: error });
    });
    return { runId, ...(await seen()), triesOf: await triesOf(database, runId) };
  }

  async function stop(): Promise<void> {
    await worker.stop(1000);
    await supervisor?.stop();
    await triggerer.stop();
    await scheduler.stop();
    await listener.stop();
    await engine.stop();
    rmSync(home, { recursive: true, force: true });
  }
  return { home, printed, run, stop };
}

/** `2 failed exception`, for each try of a task. */
async function triesOf({ pool }: TestDatabase, runId: number) {
  const { rows } = await pool.query<{ task: string; try_number: number; outcome: string; cause: string }>(
    `select v.task_id as task, t.try_number, t.outcome, t.cause from task_try t join dag_run r on r.id = t.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index where t.run_id = $1`,
    [runId],
  );
  return (task: string) =>
    rows
      .filter((row) => row.task === task)
      .map((row) => `${row.try_number} ${row.outcome} ${row.cause}`)
      .sort();
}

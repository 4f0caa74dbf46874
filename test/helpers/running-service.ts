import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSupervisorClient, type SupervisorClientOptions } from '#server/runner/supervisor-client.ts';
import { createArtifactCache } from '#server/worker/artifact-cache.ts';
import { createGraphqlWorkerApi } from '#server/worker/graphql-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { startTestApp, type TestApp } from './app.ts';
import type { TestDatabase } from './database.ts';
import { runStateOf, statesOf } from './engine.ts';
import { waitFor } from './wait-for.ts';

export interface RunningService {
  app: TestApp;
  /** Deploys the DAG and runs it to its end: the states of its tasks. */
  run(dag: object): Promise<{ runId: number; states: { [taskId: string]: string } }>;
  /** The newest message of a task. */
  messageOf(runId: number, taskId: string): Promise<string | null>;
  stop(): Promise<void>;
}

/** A server and a worker that speaks to it over the network, with real children. */
export async function startRunningService(
  database: TestDatabase,
  options: Partial<SupervisorClientOptions> = {},
): Promise<RunningService> {
  const app = await startTestApp(database);
  const home = mkdtempSync(join(tmpdir(), 'millrace-service-'));
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const api = createGraphqlWorkerApi({ url: app.url(), token: await app.token('worker'), onError });
  const results = createArtifactCache({ dir: join(home, 'results'), limit: 2 ** 30, fetch: api.readArtifact });
  const worker = await startWorker({
    api,
    info: { name: 'worker', queues: ['default'], slots: 4, version: 'test', hostname: null, pid: null },
    supervise: (onEvent) =>
      createSupervisorClient({
        home,
        onEvent,
        fetchBundleDir: () => Promise.reject(new Error('no bundles here')),
        fetchArtifact: (dispatchId, artifact) => results.fileOf(dispatchId, artifact),
        environment: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, HOME: home },
        ...options,
      }),
    onError,
  });
  return {
    app,
    async run(dag) {
      const read = validateDagSpec(dag);
      if (!read.ok) throw new Error(JSON.stringify(read.issues));
      const { dagId } = await app.engine.deploy(read.spec);
      const [run] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
      const runId = run!.runId;
      const over = async () => !['queued', 'running'].includes((await runStateOf(database, runId)) ?? 'queued');
      await waitFor(over, { what: `the end of run ${runId}; errors: ${errors.join('; ')}`, timeoutMs: 30_000 });
      return { runId, states: await statesOf(database, runId) };
    },
    async messageOf(runId, taskId) {
      const { rows } = await database.pool.query<{ message: string | null }>(
        `select y.message from task_try y join dag_run r on r.id = y.run_id
         join dag_version_task v on v.version_id = r.version_id and v.task_index = y.task_index
         where y.run_id = $1 and v.task_id = $2 order by y.try_number desc limit 1`,
        [runId, taskId],
      );
      return rows[0]?.message ?? null;
    },
    async stop() {
      await worker.stop(0);
      await api.stop();
      await app.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

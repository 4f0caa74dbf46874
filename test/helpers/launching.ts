/** A launcher with an engine and a cluster of the test's database. */
import { createListener } from '#db/listen.ts';
import { createCluster } from '#db/queries/clusters.ts';
import { deployDag } from '#db/queries/dag.ts';
import { CLUSTER_DEFAULTS, type ClusterCredentials, type ClusterSettings } from '#sdk/clusters.ts';
import type { DagSpecInput } from '#sdk/dag-spec.ts';
import { createLogger } from '#server/log.ts';
import type { LauncherDeps } from '#server/executors/launcher/launcher-deps.ts';
import { startLauncher, type Launcher } from '#server/executors/launcher/launcher.ts';
import { createMetrics } from '#server/metrics/metrics.ts';
import { startLoop } from '#server/scheduler/loop.ts';
import { wakeRetries } from '#server/scheduler/wake-retries.ts';
import { checkRuns } from './check-runs.ts';
import { GONE_MS } from './cluster.ts';
import type { TestDatabase } from './database.ts';
import { createTestEngine, statesOf, TEST_VAULT } from './engine.ts';
import { specOf } from './specs.ts';
import { waitFor } from './wait-for.ts';

export interface LaunchedTry {
  try_number: number;
  outcome: string;
  cause: string;
  exit_code: number | null;
  message: string | null;
  evidence: { [name: string]: unknown } | null;
  log_bytes: number;
}

export async function createLaunching(database: TestDatabase) {
  const { db, pool, url } = database;
  const engine = createTestEngine(database);
  const listener = createListener(url);
  await listener.start();
  const errors: string[] = [];
  const launchers = new Set<Launcher>();
  const metrics = createMetrics({ ofProcess: false });
  const log = createLogger({ level: (process.env['TEST_LOG'] as 'info') ?? 'silent', format: 'text' });
  const retries = startLoop({
    name: 'retries',
    mostMs: 200,
    onError: console.error,
    pass: () => wakeRetries(pool, engine),
  });
  let names = 0;

  return {
    engine,
    errors,
    metrics,
    async addCluster(
      name: string,
      credentials: ClusterCredentials,
      settings: Partial<ClusterSettings> & { namespaces: string[] },
    ) {
      const access = { credentials, server: 'https://test', insecure: false };
      await createCluster(db, TEST_VAULT, { ...CLUSTER_DEFAULTS, ...settings, name, access }, { actor: 'test' });
    },
    /** `instead`: of what a launcher has otherwise. */
    async launch(name = `launcher ${++names}`, instead: Partial<LauncherDeps> = {}): Promise<Launcher> {
      const onError = (error: unknown, what: string) => errors.push(`${what}: ${String(error)}`);
      const deps = {
        ...database,
        engine,
        listener,
        vault: TEST_VAULT,
        log,
        version: 'test',
        metricsOf: metrics.of,
        onError,
      };
      const launcher = await startLauncher({ ...deps, name, serviceUrl: null, ...instead });
      launchers.add(launcher);
      return {
        async stop() {
          launchers.delete(launcher);
          await launcher.stop();
        },
      };
    },
    async start(spec: DagSpecInput, authorRole = 'editor'): Promise<number> {
      const { dagId } = await deployDag(db, { spec: specOf(spec), bundle: null, actor: 'test', authorRole });
      const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
      return run!.runId;
    },
    /** The states of a run's tasks, once it has ended. */
    async ended(runId: number, timeoutMs = 60_000): Promise<Record<string, string>> {
      await waitFor(
        async () => {
          const { rows } = await pool.query(`select state, ended_at from dag_run where id = $1`, [runId]);
          return rows[0]?.ended_at ? rows[0] : null;
        },
        { timeoutMs, what: `run ${runId} to end` },
      ).catch(async (error: unknown) => {
        const { rows } = await pool.query('select * from launch');
        throw new Error(
          `${String(error)}; ${JSON.stringify(await statesOf(database, runId))}; ${JSON.stringify(rows)}; ${errors.join('; ')}`,
          { cause: error },
        );
      });
      await checkRuns(database, { runIds: [runId], finished: true });
      return statesOf(database, runId);
    },
    async tries(runId: number): Promise<LaunchedTry[]> {
      const { rows } = await pool.query<LaunchedTry>(
        `select try_number, outcome, cause, exit_code, message, evidence, log_bytes from task_try where run_id = $1 order by task_index, map_index, try_number`,
        [runId],
      );
      return rows;
    },
    async xcoms(runId: number): Promise<{ [key: string]: unknown }> {
      const { rows } = await pool.query<{ key: string; value: unknown }>(
        `select key, value from xcom where run_id = $1`,
        [runId],
      );
      return Object.fromEntries(rows.map((row) => [row.key, row.value]));
    },
    /** Output lines of all tries of the run, without their times. */
    async output(runId: number): Promise<string[]> {
      const { rows } = await pool.query<{ body: string }>(
        `select c.body from task_try y join log_chunk c on c.run_id = y.run_id and c.dispatch_id = y.dispatch_id
         where y.run_id = $1 order by y.task_index, y.try_number, c.byte_offset`,
        [runId],
      );
      const lines = rows
        .map((row) => row.body)
        .join('')
        .split('\n');
      return lines.flatMap((line) => /^\S+ [oes] (.*)$/.exec(line)?.[1] ?? []);
    },
    async records(runId: number): Promise<{ [fact: string]: unknown }[]> {
      const { rows } = await pool.query<{ facts: { [fact: string]: unknown } }>(
        `select facts from launch_record where run_id = $1 order by task_index, try_number`,
        [runId],
      );
      return rows.map((row) => row.facts);
    },
    launches: async () => (await pool.query<{ [column: string]: unknown }>('select * from launch')).rows,
    /** Nothing is left in the table of launches: all objects are cleaned up. */
    tidy: () =>
      waitFor(
        async () => {
          const { rows } = await pool.query('select name, phase from launch');
          return rows.length === 0 || Promise.reject(new Error(JSON.stringify(rows)));
        },
        { timeoutMs: GONE_MS, what: 'launches to be cleaned up' },
      ),
    async stop() {
      await Promise.all([...launchers].map((launcher) => launcher.stop()));
      await retries.stop();
      await listener.stop();
      await engine.stop();
    },
  };
}
export type Launching = Awaited<ReturnType<typeof createLaunching>>;

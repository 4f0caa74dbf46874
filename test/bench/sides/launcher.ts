/** Engine and launcher in one process, as in the scheduler. */
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { createCluster } from '#db/queries/clusters.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import { createVault } from '#db/vault.ts';
import type { ClusterCredentials } from '#sdk/clusters.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { startLauncher } from '#server/executors/launcher/launcher.ts';
import { createLogger } from '#server/log.ts';
import { createMetrics } from '#server/metrics/metrics.ts';
import { CLUSTER_LIMITS, podDag, type PodWork } from '../pod-work.ts';
import { serveSide } from './serve.ts';

interface OpenRequest {
  url: string;
  credentials: ClusterCredentials;
  namespace: string;
  /** As in the settings of a cluster. */
  limits?: Partial<typeof CLUSTER_LIMITS>;
}

let opened: Awaited<ReturnType<typeof open>> | null = null;
const side = () => {
  if (!opened) throw new Error('nothing is open');
  return opened;
};

async function open({ url, credentials, namespace, limits }: OpenRequest) {
  const database = createDatabase(url);
  const { db, pool } = database;
  const vault = createVault(Buffer.alloc(32, 7));
  const onError = (error: unknown, what = '') => void process.stderr.write(`B7: ${what} ${String(error)}\n`);
  const engine = createEngine({ ...database, vault, onError });
  const listener = createListener(url);
  await ensurePartitions(pool);
  await listener.start();
  const access = { credentials, server: 'https://bench', insecure: false };
  const settings = { ...CLUSTER_LIMITS, ...limits, namespaces: [namespace], name: 'default', access };
  await createCluster(db, vault, settings, { actor: 'bench' });
  const metrics = createMetrics({ ofProcess: false });
  const log = createLogger({ level: 'error', format: 'text' });
  const launcher = await startLauncher({
    ...{ ...database, engine, listener, vault, log, onError, name: 'bench', version: 'bench' },
    ...{ serviceUrl: null, metricsOf: metrics.of },
  });
  return {
    ...{ db, pool, engine, metrics },
    async close() {
      await launcher.stop();
      await listener.stop();
      await engine.stop();
      await database.close();
    },
  };
}

serveSide({
  async open(request: OpenRequest) {
    opened = await open(request);
  },
  async close() {
    await opened?.close();
    opened = null;
  },
  async deploy(work: PodWork) {
    const validated = validateDagSpec(podDag(work));
    if (!validated.ok) throw new Error(JSON.stringify(validated.issues.slice(0, 3)));
    return (await deployDag(side().db, { spec: validated.spec, bundle: null, actor: 'bench' })).dagId;
  },
  /** One run; until its end is recorded and nothing of it is left on the cluster. */
  async run({ dagId }: { dagId: number }) {
    const { engine, pool } = side();
    const begin = performance.now();
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    const until = async (done: string, values: unknown[]) => {
      for (;;) {
        const { rows } = await pool.query<{ done: boolean }>(`select ${done} as done`, values);
        if (rows[0]?.done) return performance.now() - begin;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const ms = await until('(select ended_at is not null from dag_run where id = $1)', [run?.runId]);
    const tidyMs = await until('not exists (select from launch)', []);
    return { ms, tidyMs, firstRun: run?.runId ?? 0 };
  },
  metrics: () => side().metrics.render(),
});

import { readLogStoreHealth } from '#db/queries/log-stores.ts';
import type { OnRequest } from '../../executors/kubernetes/kube-connection.ts';
import type { LauncherDeps } from '../../executors/launcher/launcher-deps.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { CommandError } from '../command-error.ts';
import { cannotListen } from './cannot-listen.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

export type OnClusterRequest = (cluster: string, ...request: Parameters<OnRequest>) => void;

export interface OpenMetrics {
  metricsOf?: LauncherDeps['metricsOf'];
  onClusterRequest: OnClusterRequest;
  /** What parts count by. */
  counts?: Pick<Metrics, 'logs' | 'retained'>;
}

/** What the parts of a process count, on a port of its own; nothing is counted when nobody is to read it. */
export async function openMetrics(
  { db, broker }: Pick<Core, 'db' | 'broker'>,
  { config, log, shutdown }: RoleContext,
): Promise<OpenMetrics> {
  const { host, metricsPort: port } = config;
  if (port === 0) return { onClusterRequest: () => undefined };
  const [{ createMetrics }, { createQueueReader }, { startMetricsServer, METRICS_PATH }] = await Promise.all([
    import('../../metrics/metrics.ts'),
    import('../../queue-reader.ts'),
    import('../../http/metrics-server.ts'),
  ]);
  const metrics = createMetrics();
  metrics.observeQueues(createQueueReader(db));
  metrics.observeLogStore(() => readLogStoreHealth(db));
  if (broker) metrics.observeBroker(broker);
  const onError = (error: unknown) => log.error({ error }, 'the metrics could not be read');
  const server = await startMetricsServer(metrics, { host, port, onError }).catch((cause: NodeJS.ErrnoException) => {
    const message = cannotListen(cause, { host, port, variable: 'MILLRACE_METRICS_PORT' });
    throw new CommandError(message, { cause });
  });
  shutdown.add('metrics', () => server.stop());
  log.info({ port: server.port, path: METRICS_PATH }, 'metrics can be read');
  return {
    metricsOf: metrics.of,
    counts: metrics,
    onClusterRequest: (cluster, ...request) => metrics.of(cluster).requested(...request),
  };
}

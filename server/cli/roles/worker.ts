import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { WorkerInfo } from '#db/queries/worker.ts';
import { createBundleCache } from '../../bundles/bundle-cache.ts';
import { createSupervisorClient, type RunnerEvent } from '../../runner/supervisor-client.ts';
import { createArtifactCache } from '../../worker/artifact-cache.ts';
import { askUntilAnswered } from '../../worker/ask-until-answered.ts';
import { createGraphqlWorkerApi } from '../../worker/graphql-worker-api.ts';
import { createUsageMeter } from '../../worker/measure-usage.ts';
import { ServiceRefusal } from '../../worker/service-answer.ts';
import { replaySpools } from '../../worker/spool/replay.ts';
import { newSpoolFolder } from '../../worker/spool/spool-folder.ts';
import type { WorkerApi } from '../../worker/worker-api.ts';
import { startWorker } from '../../worker/worker.ts';
import { CommandError } from '../command-error.ts';
import { version } from '../version.ts';
import { runRole, type RoleContext } from './role.ts';

/** As long as an outage may last without a task ending for it. */
const TRANSFER_PATIENCE_MS = 15 * 60_000;

export interface WorkerOptions {
  queues?: string[];
  slots?: number;
  labels?: { [name: string]: string };
  name?: string;
  /** What tasks see unless the worker's own environment says otherwise. */
  environment?: { [name: string]: string };
  /** It was asked to drain, and is free. */
  onDrained?(): void;
}

export const runWorker = (options: WorkerOptions): Promise<void> =>
  runRole('worker', async (context) => {
    const { config, log, shutdown } = context;
    const onError = (error: unknown) => log.warn({ error }, 'the service did not answer');
    const url = config.url!;
    const api = createGraphqlWorkerApi({ url, token: config.token!, onError });
    shutdown.add('connection', () => api.stop());
    const untilAnswered = <T>(ask: () => Promise<T>, signal = shutdown.signal) =>
      askUntilAnswered({ url, ask, signal, log });
    // A task that is here already waits for what it needs: ending would cost a try
    const patiently = <T>(ask: () => Promise<T>) => untilAnswered(ask, AbortSignal.timeout(TRANSFER_PATIENCE_MS));
    const service: WorkerService = {
      api: { ...api, readArtifact: (dispatchId, hash) => patiently(() => api.readArtifact(dispatchId, hash)) },
      fetchBundle: (hash) => patiently(() => api.fetchBundle(hash)),
      untilAnswered,
    };
    // A timer of the connection's library would keep the process for a minute
    const onDrained = () => void shutdown.run('drained').then(() => process.exit(0));
    await openWorker(service, `${hostname()}-${process.pid}`, context, { ...options, onDrained }).catch(
      (error: unknown) => {
        throw error instanceof ServiceRefusal ? refused(url, error) : error;
      },
    );
  });

function refused(url: string, cause: ServiceRefusal): CommandError {
  const advice = cause.isCredential
    ? 'Give the worker a key of its own with MILLRACE_TOKEN; "millrace token create --name worker --role worker" makes one.'
    : 'Check the settings of the worker.';
  return new CommandError(`${new URL(url).origin} does not accept this worker: ${cause.message}\n${advice}`, { cause });
}

export interface WorkerService {
  api: WorkerApi;
  fetchBundle(hash: string): Promise<Buffer>;
  /** Asks until there is an answer; once, unless given. */
  untilAnswered?<T>(ask: () => Promise<T>): Promise<T>;
}

/** The same over the network and inside `millrace start`. */
export async function openWorker(
  { api, fetchBundle, untilAnswered = (ask) => ask() }: WorkerService,
  defaultName: string,
  { config, log, shutdown }: RoleContext,
  options: WorkerOptions = {},
): Promise<void> {
  const { queues = config.worker.queues, slots = config.worker.slots, labels = config.worker.labels } = options;
  const home = join(config.home, 'worker');
  const onError = (error: unknown) => log.warn({ error }, 'no room could be made among the bundles');
  const kept = { dir: join(home, 'bundles'), limit: config.worker.bundleCache };
  const bundles = createBundleCache({ ...kept, fetch: fetchBundle, onError });
  const results = createArtifactCache({
    dir: join(home, 'results'),
    limit: config.worker.resultCache,
    fetch: (dispatchId, hash) => api.readArtifact(dispatchId, hash),
  });
  const spools = join(home, 'spool');
  const name = options.name ?? config.worker.name ?? defaultName;
  const info: WorkerInfo = { name, queues, slots, labels, version: version(), hostname: hostname(), pid: process.pid };
  const worker = await startWorker({
    api,
    info,
    async register(about) {
      await replaySpools({ api, home: spools, untilAnswered, log });
      return untilAnswered(() => api.register(about));
    },
    spool: { dir: newSpoolFolder(spools), limit: config.worker.spool },
    supervise: (onEvent) =>
      createSupervisorClient({
        home,
        fetchBundleDir: (hash, dispatchId) => bundles.dirOf(hash, dispatchId),
        fetchArtifact: (dispatchId, artifact) => results.fileOf(dispatchId, artifact),
        pythonCommand: config.worker.python,
        packages: config.worker.packages,
        maxTaskMemory: config.worker.taskMemory,
        ...(config.worker.childTasks && { childTasks: config.worker.childTasks }),
        ...(config.worker.childMemory && { childMemory: config.worker.childMemory }),
        environment: { ...options.environment, ...config.worker.environment },
        onEvent(event) {
          for (const dispatchId of endedIn(event)) for (const cache of [results, bundles]) cache.release(dispatchId);
          onEvent(event);
        },
      }),
    measure: createUsageMeter(),
    onDrain: (mode) =>
      log.info(
        { name, mode },
        mode === null ? 'the worker takes tasks again' : 'the worker is to drain: it takes nothing new',
      ),
    ...(options.onDrained && { onDrained: options.onDrained }),
    onError: (error) => log.warn({ error }, 'the worker could not reach the service'),
  });
  shutdown.add(
    'worker',
    () => worker.stop(config.shutdownSeconds * 1_000),
    () => worker.handBack(),
  );
  log.info({ name, queues: queues.join(','), slots }, 'the worker takes tasks');
}

const endedIn = (event: RunnerEvent): string[] =>
  event.type === 'finished' ? [event.report.dispatchId] : event.type === 'supervisor_lost' ? event.dispatchIds : [];

/** Stays over restarts, so that what a killed process ran is known to be lost as soon as the next one starts. */
export const steadyWorkerName = (home: string): string =>
  `${hostname()}-${createHash('sha256').update(home).digest('hex').slice(0, 8)}`;

/** `millrace run-task`: what runs in the Pod of a task. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { EXIT } from '../../pod/exit-codes.ts';
import { createPodLog } from '../../pod/pod-log.ts';
import type { PodService } from '../../pod/pod-service.ts';
import { startOneTask, type TaskEnd } from '../../pod/run-one-task.ts';
import { createSupervisorClient, type RunnerEvent, type SupervisorClient } from '../../runner/supervisor-client.ts';
import { createArtifactCache } from '../../worker/artifact-cache.ts';
import { askUntilAnswered } from '../../worker/ask-until-answered.ts';
import { endWith, onStop, openPod } from './pod-process.ts';

/** Of the time that a Pod has to stop, for what comes after the end of the task's code. */
const SHARE_OF_TASK = 0.7;
/** Then the kubelet kills what is left, and nothing could say why. */
const SHARE_OF_ENDING = 0.9;
const TRANSFER_PATIENCE_MS = 3_600_000;

/** Ends the process with one of EXIT. */
export const runTask = (): Promise<never> => endWith(runToEnd);

async function runToEnd(): Promise<TaskEnd> {
  const { config, service, url } = openPod();
  mkdirSync(join(config.home, 'home'), { recursive: true, mode: 0o700 });
  const log = createPodLog('run-task');
  const supervise = (onEvent: (event: RunnerEvent) => void) =>
    openSupervisor(config, patient(service, config), onEvent);
  const task = startOneTask({ service, url, log, supervise, spoolDir: join(config.home, 'log-spool') });
  onStop(() => task.interrupt(config.shutdownSeconds * 1_000 * SHARE_OF_ENDING));
  const { code, message } = await task.ended;
  return { code, message: code === EXIT.ok ? '' : message };
}

function openSupervisor(
  { home, worker, shutdownSeconds }: Config,
  service: PodService,
  onEvent: (event: RunnerEvent) => void,
): SupervisorClient {
  const results = createArtifactCache({
    dir: join(home, 'results'),
    limit: worker.resultCache,
    fetch: (dispatchId, hash) => service.readArtifact(dispatchId, hash),
  });
  const bundleDir = async (hash: string) => {
    const { createBundleCache } = await import('../../bundles/bundle-cache.ts');
    return createBundleCache({ dir: join(home, 'bundles'), fetch: (of) => service.fetchBundle(of) }).dirOf(hash);
  };
  return createSupervisorClient({
    home,
    onEvent,
    fetchBundleDir: bundleDir,
    fetchArtifact: (dispatchId, artifact) => results.fileOf(dispatchId, artifact),
    pythonCommand: worker.python,
    packages: worker.packages,
    maxTaskMemory: worker.taskMemory,
    graceMs: shutdownSeconds * 1_000 * SHARE_OF_TASK,
    environment: { PATH: DEFAULT_PATH, ...worker.environment, HOME: homeOf(worker.environment, home) },
  });
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Containers whose user is in no list get `/`, or none. */
function homeOf({ HOME }: { [name: string]: string }, home: string): string {
  try {
    if (HOME && HOME !== '/') {
      accessSync(HOME, constants.W_OK);
      return HOME;
    }
  } catch {
    return join(home, 'home');
  }
  return join(home, 'home');
}

/** A Pod that cannot fetch what its task needs now waits for it: ending would cost a try. */
function patient(service: PodService, { url }: Config): PodService {
  const log = createPodLog('run-task');
  const wait = <T>(ask: () => Promise<T>): Promise<T> =>
    askUntilAnswered({ url: url!, ask, log, signal: AbortSignal.timeout(TRANSFER_PATIENCE_MS) });
  return {
    ...service,
    fetchBundle: (hash) => wait(() => service.fetchBundle(hash)),
    readArtifact: (dispatchId, hash) => wait(() => service.readArtifact(dispatchId, hash)),
  };
}

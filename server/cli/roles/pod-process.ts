/** What the programs in the Pods of tasks have in common. They load nothing that they do not need: a Pod waits for them. */
import { accessSync, closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { ConfigError, readConfig, type Config } from '../../config.ts';
import { EXIT } from '../../pod/exit-codes.ts';
import { createPodService, type PodService } from '../../pod/pod-service.ts';
import type { TaskEnd } from '../../pod/run-one-task.ts';

/** What the kubelet shows of a container that has ended. */
const TERMINATION_LOG = '/dev/termination-log';
/** It keeps 4096 bytes. */
const MOST_CHARACTERS = 4_095;

/** Ends the process as `run` says. */
export async function endWith(run: () => Promise<TaskEnd>): Promise<never> {
  const { code, message } = await run().catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return { code: EXIT.configuration, message: error.message };
  });
  if (message !== '') writeTerminationMessage(message);
  process.exit(code);
}

/** The configuration, and the service as this Pod sees it. */
export function openPod(): { config: Config; service: PodService; url: string; dispatchId: string } {
  const config = readConfig('run-task');
  const { pod, home } = config;
  const [url, dispatchId, cluster] = [config.url!, pod.dispatchId!, pod.cluster!];
  if (!isReadable(pod.tokenFile))
    throw new ConfigError([
      `MILLRACE_POD_TOKEN_FILE: ${pod.tokenFile} cannot be read. The Pod needs a volume with a token of its service account for the audience "millrace".`,
    ]);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return { config, url, dispatchId, service: createPodService({ url, dispatchId, cluster, tokenFile: pod.tokenFile }) };
}

export function onStop(stop: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Only where the kubelet has made the file. */
function writeTerminationMessage(message: string): void {
  try {
    const file = openSync(TERMINATION_LOG, 'r+');
    writeSync(file, message.slice(0, MOST_CHARACTERS));
    closeSync(file);
  } catch {
    return;
  }
}

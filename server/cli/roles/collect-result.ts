/** `millrace collect-result`: the second container in the Pod of a task whose result is a file. */
import { ConfigError } from '../../config.ts';
import { collectResult } from '../../pod/collect-result.ts';
import { writeCollected } from '../../pod/collected-result.ts';
import { EXIT } from '../../pod/exit-codes.ts';
import { createPodLog } from '../../pod/pod-log.ts';
import type { TaskEnd } from '../../pod/run-one-task.ts';
import { ServiceRefusal } from '../../worker/service-answer.ts';
import { endWith, onStop, openPod } from './pod-process.ts';

/** Ends the process with one of EXIT. */
export const runCollectResult = (): Promise<never> => endWith(collect);

async function collect(): Promise<TaskEnd> {
  const { config, ...pod } = openPod();
  const file = config.pod.resultFile;
  if (file === null) throw new ConfigError(['MILLRACE_RESULT_FILE: needed by "millrace collect-result".']);
  const stopping = new AbortController();
  onStop(() => stopping.abort(new Error('The Pod is being stopped.')));
  const log = createPodLog('collect-result');
  try {
    const collected = await collectResult({ ...pod, file, dir: config.home, signal: stopping.signal, log });
    if (collected === null) return { code: EXIT.fenced, message: '' };
    return { code: 'problem' in collected ? EXIT.failed : EXIT.ok, message: writeCollected(collected) };
  } catch (error) {
    if (stopping.signal.aborted) return { code: EXIT.interrupted, message: '' };
    if (!(error instanceof ServiceRefusal)) throw error;
    return { code: EXIT.refused, message: writeCollected({ problem: `The service refuses: ${error.message}` }) };
  }
}

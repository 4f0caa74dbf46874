/** Copies what the Pods of a selector write into the log of the launch whose object made them. */
import { aborted, anyOf } from '../../abort.ts';
import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import type { KubePod } from '../kubernetes/kube-types.ts';
import { followPodLog } from '../kubernetes/pod-log.ts';
import { startPodWatch } from '../kubernetes/pod-watch.ts';
import type { LaunchLog } from './launch-log.ts';

export interface SelectedPods {
  client: ClusterClient;
  namespace: string;
  selector: string;
}

/** More Pods than this make a log that nobody reads. */
const MOST_PODS = 50;

/** Resolves when the object has ended and what its Pods wrote is there, or with why some of it may not be. */
export async function followSelectedPods(
  { client, namespace, selector }: SelectedPods,
  log: LaunchLog,
  { ended, signal }: { ended: AbortSignal; signal: AbortSignal },
): Promise<string | null> {
  const copies: Promise<string | null>[] = [];
  /** Of each Pod: aborted when it has ended. */
  const known = new Map<string, AbortController>();

  const copy = async (name: string, container: string, podOver: AbortSignal): Promise<string | null> => {
    const prefix = `[${name}/${container}] `;
    const over = anyOf([podOver, ended]);
    const { complete, problem } = await followPodLog({
      ...{ client, namespace, pod: name, container, signal },
      ended: over.signal,
      resumeAfter: log.storedTimes(prefix),
      async onLines(lines) {
        for (const { time, text } of lines) await log.line(time, prefix + text);
      },
    }).finally(over.release);
    return complete || problem === null ? null : `The output of Pod ${name} may lack its end. ${problem}`;
  };
  const see = ({ metadata, spec, status }: KubePod) => {
    const name = metadata?.name ?? '';
    if (!known.has(name) && known.size < MOST_PODS && status?.phase !== 'Pending') {
      const over = new AbortController();
      known.set(name, over);
      for (const container of spec?.containers ?? []) copies.push(copy(name, container.name, over.signal));
    }
    if (status?.phase === 'Succeeded' || status?.phase === 'Failed') known.get(name)?.abort();
  };
  const watch = startPodWatch({
    client,
    namespace,
    labelSelector: selector,
    onPod: see,
    onGone: ({ metadata }) => known.get(metadata?.name ?? '')?.abort(),
    onError: () => undefined,
  });
  try {
    await aborted([ended, signal]);
    // An object may end before the watch has told of its last Pod
    if (!signal.aborted) for (const pod of (await client.listPods(namespace, selector)).items) see(pod);
  } finally {
    await watch.stop();
  }
  const problems = (await Promise.all(copies)).filter((problem) => problem !== null);
  return problems.length > 0 ? problems.join(' ') : null;
}

/** Pods created with nothing around them: what a cluster does at best. */
import type { ClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';

export interface BareWork {
  client: ClusterClient;
  namespace: string;
  pods: number;
  /** There at once, also those that are on their way out. */
  atOnce: number;
  pod(name: string): KubePod;
}

const isOver = ({ status }: KubePod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Each lane creates a Pod, sees its end through the one watch, deletes it, sees it go, and takes the next. Milliseconds until all have ended, and are gone. */
export async function runBarePods({ client, namespace, pods, atOnce, pod }: BareWork) {
  const ended = new Map<string, () => void>();
  const gone = new Map<string, () => void>();
  const tell = (waiting: Map<string, () => void>, { metadata }: KubePod) => waiting.get(metadata?.name ?? '')?.();
  const watch = startPodWatch({
    ...{ client, namespace, labelSelector: 'millrace.dev/bench=bare' },
    onPod: (seen) => void (isOver(seen) && tell(ended, seen)),
    onGone: (seen) => void tell(gone, seen),
    onError: (error, context) => process.stderr.write(`B7 bare, ${context}: ${String(error)}\n`),
  });
  await watch.synced;
  let next = 0;
  let lastEnd = 0;
  const begin = performance.now();
  const lane = async () => {
    while (next < pods) {
      const name = `bare-${next++}`;
      const end = new Promise<void>((resolve) => ended.set(name, resolve));
      const went = new Promise<void>((resolve) => gone.set(name, resolve));
      const body = pod(name);
      const labels = { 'millrace.dev/bench': 'bare' };
      const answer = await client.createPod(namespace, { ...body, metadata: { ...body.metadata, name, labels } });
      if (answer.kind !== 'created') throw new Error(`A Pod was not created: ${JSON.stringify(answer)}`);
      await end;
      lastEnd = performance.now() - begin;
      await client.deletePod(namespace, name);
      await went;
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, lane));
    return { ms: lastEnd, tidyMs: performance.now() - begin };
  } finally {
    await watch.stop();
  }
}

import { expect, it } from 'vitest';
import { observePod } from '#server/executors/kubernetes/pod-outcome.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';
import { describeCluster, GONE_MS } from '../helpers/cluster.ts';
import { createCuttingClient } from '../helpers/cutting-proxy.ts';
import { waitFor } from '../helpers/wait-for.ts';

describeCluster('a watch of real Pods', (cluster) => {
  it('tells every end and every deletion, though its connection breaks all the time', async () => {
    const { kubeconfig, namespace, run, pod, client: steady } = cluster();
    const { client, proxy } = await createCuttingClient(kubeconfig);
    const ended = new Map<string, number>();
    const gone = new Set<string>();
    const watch = startPodWatch({
      client,
      namespace,
      labelSelector: 'cut=yes',
      onPod: (each) => {
        const { end } = observePod(each, { base: 'base', now: Date.now() });
        if (end) ended.set(each.metadata!.name!, end.exitCode ?? -1);
      },
      onGone: ({ metadata }) => gone.add(metadata!.name!),
      onError: () => undefined,
      pauseMs: 20,
      mostPauseMs: 200,
    });
    await watch.synced;
    const names: string[] = [];
    for (let code = 0; code < 6; code++) {
      const { metadata } = await run(pod(`sleep 0.${code}; exit ${code}`, { metadata: { labels: { cut: 'yes' } } }));
      names.push(metadata!.name!);
      proxy.cutNow();
    }
    await waitFor(
      () => {
        proxy.cutNow();
        return ended.size === 6;
      },
      { timeoutMs: 60_000, what: 'six ends' },
    );
    expect(names.map((name) => ended.get(name))).toEqual([0, 1, 2, 3, 4, 5]);
    for (const name of names) {
      await steady.deletePod(namespace, name, { graceSeconds: 0 });
      proxy.cutNow();
    }
    await waitFor(() => gone.size === 6, { timeoutMs: GONE_MS, what: 'six deletions' });
    expect(watch.counters.restarts).toBeGreaterThan(3);
    await waitFor(() => watch.problem() === null, { what: 'a watch that is well again' });
    await watch.stop();
    client.close();
    await proxy.close();
  });
});

import { expect, it } from 'vitest';
import type { PodLogLine } from '#server/executors/kubernetes/log-lines.ts';
import { followPodLog } from '#server/executors/kubernetes/pod-log.ts';
import { describeCluster, GONE_MS, hasEnded } from '../helpers/cluster.ts';
import { createCuttingClient } from '../helpers/cutting-proxy.ts';
import { waitFor } from '../helpers/wait-for.ts';

describeCluster('the log of a real Pod', (cluster) => {
  function collect() {
    const ended = new AbortController();
    const lines: PodLogLine[] = [];
    return {
      ended,
      lines,
      texts: () => lines.map(({ text }) => text),
      options: {
        container: 'base',
        ended: ended.signal,
        signal: new AbortController().signal,
        onLines: (news: PodLogLine[]) => void lines.push(...news),
      },
    };
  }

  it('has 10,000 lines, complete and in order, though the connection is cut many times', async () => {
    const { run, pod, waitForPod, namespace } = cluster();
    const { client, proxy } = await createCuttingClient(cluster().kubeconfig);
    const count = 10_000;
    const script = `i=0; while [ $i -lt ${count} ]; do echo "line $i of the output"; i=$((i+1)); [ $((i % 2500)) -eq 0 ] && sleep 0.3; done; true`;
    const { metadata } = await run(pod(script));
    const name = metadata!.name!;
    const { ended, texts, options } = collect();
    const retries: Error[] = [];
    proxy.cutAfter(120_000);
    const log = followPodLog({ client, namespace, pod: name, ...options, pauseMs: 5, onRetry: (e) => retries.push(e) });
    await waitFor(() => texts().length > 1000, { timeoutMs: 30_000 });
    proxy.cutNow();
    await waitForPod(name, hasEnded);
    // The whole is several times as long as a connection lives, so these come, however fast the node was.
    await waitFor(() => proxy.cuts() > 2 && retries.length > 2, { timeoutMs: 30_000, what: 'more cuts' });
    // Reading all of it once more must get through.
    proxy.cutAfter(Infinity);
    ended.abort();
    expect(await log).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(Array.from({ length: count }, (_, i) => `line ${i} of the output`));
    client.close();
    await proxy.close();
  });

  it('has huge lines, both streams, and a last line without a newline', async () => {
    const { run, pod, waitForPod, client, namespace } = cluster();
    // A runtime writes long lines in pieces; what comes on the other stream meanwhile would stand between them.
    const script = `head -c 40000 /dev/zero | tr '\\0' x; echo; sleep 0.2; echo error >&2; sleep 0.2; printf 'no newline'`;
    const { metadata } = await run(pod(script));
    const name = metadata!.name!;
    await waitForPod(name, hasEnded);
    const { ended, texts, options } = collect();
    ended.abort();
    expect(await followPodLog({ client, namespace, pod: name, ...options })).toEqual({ complete: true, problem: null });
    const [huge, error, last] = texts();
    expect(huge?.replaceAll(/x+/g, (run) => `${run.length}x`)).toBe('40000x');
    expect(error).toBe('error');
    expect(last).toBe('no newline');
  });

  it('is followed from before the container starts until the Pod is deleted, with no word of the kubelet in it', async () => {
    const { run, pod, client, namespace } = cluster();
    const { metadata } = await run(
      pod('trap "echo told to end; exit 0" TERM; echo up; while true; do sleep 0.05; done'),
    );
    const name = metadata!.name!;
    const { ended, texts, options } = collect();
    const log = followPodLog({ client, namespace, pod: name, ...options });
    await waitFor(() => texts().includes('up'), { timeoutMs: 60_000, what: 'the first line' });
    await client.deletePod(namespace, name, { graceSeconds: 5 });
    await waitFor(async () => (await client.getPod(namespace, name)) === null, {
      timeoutMs: GONE_MS,
      what: 'the end of the Pod',
    });
    ended.abort();
    expect(await log).toMatchObject({ complete: false, problem: expect.stringMatching(/^The Pod is gone/) });
    expect(texts()).toEqual(['up', 'told to end']);
  });
});

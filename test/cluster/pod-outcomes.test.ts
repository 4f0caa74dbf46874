/** What a real cluster says about Pods, and what we make of it. */
import { expect, it } from 'vitest';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { observeGone, observePod, type PodObservation } from '#server/executors/kubernetes/pod-outcome.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';
import { describeCluster, GONE_MS, randomName } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait-for.ts';

const observe = (pod: KubePod): PodObservation => observePod(pod, { base: 'base', now: Date.now() });

describeCluster('the end of a real Pod', (cluster) => {
  const runToEnd = async (pod: KubePod) => {
    const { run, waitForPod } = cluster();
    const { metadata } = await run(pod);
    const last = await waitForPod(metadata!.name!, (each) => observe(each).phase === 'ended');
    return observe(last);
  };

  it('success, with the termination message as its result', async () => {
    const { pod } = cluster();
    const observed = await runToEnd(pod(`echo '{"rows":3}' > /dev/termination-log`));
    expect(observed).toMatchObject({ everStarted: true, node: expect.any(String) });
    expect(observed.end).toMatchObject({ outcome: 'success', cause: 'ok', exitCode: 0 });
    expect(observed.end!.terminationMessage).toBe('{"rows":3}\n');
    expect(Date.parse(observed.startedAt!)).toBeGreaterThanOrEqual(Date.parse(observed.scheduledAt!));
    expect(Date.parse(observed.finishedAt!)).toBeGreaterThanOrEqual(Date.parse(observed.startedAt!));
  });

  it('an exit code, with the last lines of its output', async () => {
    const { pod } = cluster();
    const container = { terminationMessagePolicy: 'FallbackToLogsOnError' };
    const { end } = await runToEnd(pod('echo no such table; exit 4', { container }));
    expect(end).toMatchObject({ cause: 'exit_code', exitCode: 4, message: 'Exit code 4: no such table', free: false });
  });

  it('more memory than its limit, also of a child that the shell outlives', async () => {
    const { pod } = cluster();
    const container = { resources: { limits: { memory: '24Mi' } } };
    const eat = `tail -c 200m /dev/zero`;
    // The runtime hears of the kill and of the end in two ways: without a pause the end may be noted first.
    const { end } = await runToEnd(pod(`${eat}; code=$?; sleep 1; exit $code`, { container }));
    expect(end).toMatchObject({
      cause: 'oom_killed',
      exitCode: 137,
      message: 'Needed more memory than its limit of 24 MiB.',
      evidence: { memoryLimit: 24 * 1024 * 1024 },
    });
    const outlived = await runToEnd(pod(`${eat}; echo went on; sleep 1; exit 0`, { container }));
    expect(outlived.end).toMatchObject({ outcome: 'failed', cause: 'oom_killed' });
  });

  it('an image that is not there', async () => {
    const { client, namespace, pod, run, waitForPod } = cluster();
    const image = 'localhost:1/no/such:image';
    const { metadata } = await run(pod('true', { container: { image } }));
    const name = metadata!.name!;
    const stuck = await waitForPod(name, (each) => /Err|BackOff/.test(observe(each).reason ?? ''));
    expect(observe(stuck)).toMatchObject({ phase: 'scheduled', everStarted: false, fatal: null });
    expect(observe(stuck).message).toContain(image);
    const events = await waitFor(async () => {
      const all = await client.listEvents(namespace, stuck.metadata!.uid!);
      return all.some(({ message }) => message.startsWith('Failed to pull image')) ? all : null;
    });
    const later = observePod(stuck, { base: 'base', now: Date.now() + 301_000, events });
    expect(later.fatal).toMatchObject({ cause: 'image_pull', message: expect.stringContaining('connection refused') });
    await client.deletePod(namespace, name, { graceSeconds: 0 });

    const invalid = await run(pod('true', { container: { image: 'NOT an image' } }));
    const refused = await waitForPod(invalid.metadata!.name!, (each) => observe(each).fatal !== null);
    expect(observe(refused).fatal).toMatchObject({ cause: 'image_pull', retryable: false });
    await client.deletePod(namespace, invalid.metadata!.name!, { graceSeconds: 0 });
  });

  it('a program that is not there, a Secret that is not there', async () => {
    const { pod, run, waitForPod, client, namespace } = cluster();
    const { end } = await runToEnd(pod('', { container: { command: ['/no/such/program'] } }));
    expect(end).toMatchObject({
      cause: 'config_error',
      exitCode: null,
      message: expect.stringContaining('/no/such/program'),
    });
    const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 'no-such-secret', key: 'a' } } }];
    const { metadata } = await run(pod('true', { container: { env } }));
    // A busy kubelet says first that it has not looked yet.
    const isMissed = ({ reason, message }: PodObservation) =>
      reason === 'CreateContainerConfigError' && !!message?.includes('no-such-secret');
    const stuck = await waitForPod(metadata!.name!, (each) => isMissed(observe(each)));
    expect(observe(stuck).fatal).toBeNull();
    expect(observePod(stuck, { base: 'base', now: Date.now() + 61_000 }).fatal).toMatchObject({
      cause: 'config_error',
    });
    await client.deletePod(namespace, metadata!.name!, { graceSeconds: 0 });
  });

  it('no node that will do', async () => {
    const { pod, run, waitForPod, client, namespace } = cluster();
    const { metadata } = await run(pod('true', { spec: { nodeSelector: { 'no-such-label': 'x' } } }));
    const waiting = await waitForPod(metadata!.name!, (each) => observe(each).reason === 'Unschedulable');
    expect(observe(waiting)).toMatchObject({ phase: 'pending', fatal: null, scheduledAt: null });
    expect(observe(waiting).message).toContain('nodes are available');
    await client.deletePod(namespace, metadata!.name!, { graceSeconds: 0 });
  });

  it('an init container that fails', async () => {
    const { pod, image } = cluster();
    const initContainers = [
      {
        name: 'load',
        image,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'echo no route > /dev/termination-log; exit 7'],
      },
    ];
    const { end } = await runToEnd(pod('true', { spec: { initContainers } }));
    expect(end).toMatchObject({
      cause: 'init_failed',
      exitCode: null,
      message: 'Init container load failed. Exit code 7: no route',
    });
  });

  it('the deadline of the Pod', async () => {
    const { pod } = cluster();
    const { end } = await runToEnd(pod('sleep 60', { spec: { activeDeadlineSeconds: 1 } }));
    expect(end).toMatchObject({ cause: 'timeout', message: expect.stringContaining('activeDeadlineSeconds is 1.') });
  });

  it('a sidecar that goes on', async () => {
    const { pod, image, client, namespace } = cluster();
    const base = pod('exit 0');
    const containers = [
      ...base.spec!.containers,
      { name: 'proxy', image, imagePullPolicy: 'IfNotPresent', command: ['sleep', '60'] },
    ];
    const { end } = await runToEnd({ ...base, spec: { ...base.spec, containers } as never });
    expect(end).toMatchObject({ outcome: 'success', evidence: { phase: 'Running' } });
    await client.deletePod(namespace, base.metadata!.name!, { graceSeconds: 0 });
  });

  it('deleted by hand in mid-run, as a watch tells it', async () => {
    const { client, namespace, pod, run } = cluster();
    const owner = randomName('owner');
    const seen: string[] = [];
    let gone: KubePod | undefined;
    const errors: unknown[] = [];
    const watch = startPodWatch({
      client,
      namespace,
      labelSelector: `owner=${owner}`,
      onPod: (each) => seen.push(observe(each).phase),
      onGone: (each) => (gone = each),
      onError: (error) => errors.push(error),
    });
    await watch.synced;
    const { metadata } = await run(pod('sleep 60', { metadata: { labels: { owner } } }));
    await waitFor(() => seen.includes('started'), { timeoutMs: 60_000 });
    await client.deletePod(namespace, metadata!.name!);
    await waitFor(() => gone, { timeoutMs: GONE_MS });
    await watch.stop();
    // Whether it ever ran is for who saw it run to say: a kubelet may forget that in its last words.
    expect(observeGone(gone!, { base: 'base' })).toMatchObject({ cause: 'pod_deleted' });
    expect(watch.counters).toMatchObject({ watches: 1, relists: 1, restarts: 0, syntheticDeletes: 0 });
    expect(errors).toEqual([]);
  });
});

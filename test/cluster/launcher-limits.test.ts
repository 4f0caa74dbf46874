/** What holds tasks back on a real cluster, and what does not: quotas, limits, an API that is away, several clusters in a run. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { breakableLineTo } from '../helpers/breakable-cluster.ts';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createLaunching, type Launching } from '../helpers/launching.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();

describeCluster('tasks on clusters', (cluster) => {
  let launching: Launching;
  beforeAll(async () => {
    launching = await createLaunching(database);
    const credentials = { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' } as const;
    await launching.addCluster('default', credentials, { namespaces: [cluster().namespace] });
    await launching.launch();
  });
  afterAll(() => launching.stop());

  let dags = 0;
  const task = (taskId: string, command: string, more: object = {}) => ({
    taskId,
    kind: 'pod',
    image: cluster().image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', command],
    terminationGrace: 1,
    ...more,
  });
  const start = (tasks: object[]) => launching.start({ dagId: `limits_${++dags}`, tasks: tasks as never });
  const reasons = async () => (await launching.launches()).flatMap((row) => row['reason'] ?? []);
  const waitForReason = (reason: string) =>
    waitFor(async () => ((await reasons()).includes(reason) ? true : null), {
      what: `the reason ${reason}`,
      timeoutMs: 60_000,
    });

  it('wait for the quota of their namespace, without a try, and run when it is free', async () => {
    const namespace = await cluster().createNamespace();
    await cluster().createQuota(namespace, 'q', { pods: '1' });
    await launching.addCluster(
      'small',
      { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' },
      { namespaces: [namespace] },
    );
    const runId = await start([1, 2, 3].map((n) => task(`t${n}`, 'sleep 2', { cluster: 'small' })));
    await waitForReason('quota');
    expect(await launching.ended(runId, 120_000)).toEqual({ t1: 'success', t2: 'success', t3: 'success' });
    expect((await launching.tries(runId)).map((one) => one.try_number)).toEqual([1, 1, 1]);
    await launching.tidy();
  });

  it('wait until the cluster has room, by its own limit', async () => {
    const credentials = { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' } as const;
    await launching.addCluster('narrow', credentials, { namespaces: [cluster().namespace], maxPods: 1 });
    const runId = await start([1, 2].map((n) => task(`t${n}`, 'sleep 1', { cluster: 'narrow' })));
    expect(await launching.ended(runId)).toEqual({ t1: 'success', t2: 'success' });
    const [first, second] = (await launching.records(runId)).map((facts) => ({
      created: String(facts['createdAt']),
      finished: String(facts['finishedAt']),
    }));
    const [early, late] = first!.created < second!.created ? [first!, second!] : [second!, first!];
    expect(late.created >= early.finished).toBe(true);
  });

  it('that no node can take wait with the words of the scheduler, as long as they may', async () => {
    const huge = { requests: { cpu: '900' }, limits: { cpu: '900' } };
    const runId = await start([task('t', 'true', { resources: huge, scheduleTimeout: 4 })]);
    await waitForReason('Unschedulable');
    expect(await launching.ended(runId)).toEqual({ t: 'failed' });
    const [end] = await launching.tries(runId);
    expect(end).toMatchObject({ cause: 'start_timeout', message: expect.stringContaining('Insufficient cpu') });
  });

  it('run on two clusters in one run, each with its own credentials', async () => {
    const second = await cluster().secondCluster();
    await launching.addCluster('second', second.credentials, { namespaces: [second.namespace] });
    const runId = await start([
      task('here', 'echo here'),
      { ...task('there', 'echo there', { cluster: 'second' }), upstream: ['here'] },
      { ...task('back', 'echo back'), upstream: ['there'] },
    ]);
    expect(await launching.ended(runId)).toEqual({ here: 'success', there: 'success', back: 'success' });
    await launching.tidy();
    expect((await launching.records(runId)).map((facts) => facts['namespace'])).toEqual([
      cluster().namespace,
      second.namespace,
      cluster().namespace,
    ]);
  });

  it('do not mind an API that is away: what runs runs on, and its end and its output are found', async () => {
    const line = await breakableLineTo(cluster());
    await launching.addCluster('far', line.credentials, { namespaces: [cluster().namespace] });
    const command = 'for i in $(seq 1 30); do echo line $i; sleep 0.2; done';
    const runId = await start([task('t', command, { cluster: 'far' })]);
    await waitFor(async () => ((await launching.launches())[0]?.['phase'] === 'started' ? true : null), {
      what: 'the start',
      timeoutMs: 60_000,
    });
    await line.cut();
    const waits = await start([task('late', 'echo late', { cluster: 'far' })]);
    await waitForReason('unavailable');
    await line.mend();
    expect(await launching.ended(runId)).toEqual({ t: 'success' });
    expect(await launching.output(runId)).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i + 1}`));
    expect(await launching.ended(waits)).toEqual({ late: 'success' });
    await launching.tidy();
    expect((await launching.tries(waits)).map((one) => one.try_number)).toEqual([1]);
    await line.stop();
  });

  it('have ten thousand lines of output complete and in order when their Pod is gone', async () => {
    // A container runtime may lose what is still in the pipe of a container that ends right after a burst.
    const runId = await start([task('t', 'seq 1 10000; sleep 1')]);
    expect(await launching.ended(runId)).toEqual({ t: 'success' });
    await launching.tidy();
    const lines = await launching.output(runId);
    expect(lines.length).toBe(10_000);
    expect(lines).toEqual(Array.from({ length: 10_000 }, (_, i) => String(i + 1)));
  });

  it('nothing went wrong in the engine', () => expect(launching.engine.errors).toEqual([]));
});

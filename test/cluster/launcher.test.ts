/** Tasks as Pods, on a real cluster. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createLaunching, type Launching } from '../helpers/launching.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();

describeCluster('pod tasks', (cluster) => {
  let launching: Launching;
  let image: string;
  beforeAll(async () => {
    launching = await createLaunching(database);
    image = cluster().image;
    await launching.addCluster(
      'default',
      { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' },
      { namespaces: [cluster().namespace] },
    );
    await launching.launch();
  });
  afterAll(() => launching.stop());

  let dags = 0;
  const start = (task: object, more: object[] = []) =>
    launching.start({
      dagId: `pods_${++dags}`,
      tasks: [{ taskId: 'a', kind: 'pod', image, imagePullPolicy: 'IfNotPresent', ...task }, ...more] as never,
    });
  const sh = (command: string, more: object = {}) => start({ command: ['sh', '-c', command], ...more });
  const pods = async () => (await cluster().client.listPods(cluster().namespace)).items;

  it('run to success, with their output, where they ran, and nothing left', async () => {
    const runId = await sh('echo hello from a Pod; echo again');
    expect(await launching.ended(runId)).toEqual({ a: 'success' });
    expect(await launching.output(runId)).toEqual(['hello from a Pod', 'again']);
    expect(await launching.tries(runId)).toMatchObject([{ outcome: 'success', cause: 'ok', exit_code: 0 }]);
    await launching.tidy();
    expect(await launching.records(runId)).toMatchObject([
      { cluster: 'default', kind: 'pod', namespace: cluster().namespace, node: expect.any(String), events: [] },
    ]);
    expect(await pods()).toEqual([]);
  });

  it('fail with their exit code, and are tried again as often as they may', async () => {
    const runId = await sh('echo bad; exit 3', { retries: 1, retryDelay: 0 });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([
      { try_number: 1, cause: 'exit_code', exit_code: 3 },
      { try_number: 2, cause: 'exit_code', exit_code: 3 },
    ]);
  });

  it('are skipped by an exit code that says so', async () => {
    expect(await launching.ended(await sh('exit 7', { skipOnExitCode: [7] }))).toEqual({ a: 'skipped' });
  });

  it('give their result through the termination message, or a file', async () => {
    const first = await sh(`echo '{"rows": 3}' > /dev/termination-log`, { result: 'termination' });
    await launching.ended(first);
    expect(await launching.xcoms(first)).toEqual({ return_value: { rows: 3 } });
    const second = await sh(`echo done > /tmp/out.json`, { result: { file: '/tmp/out.json' } });
    await launching.ended(second);
    expect(await launching.xcoms(second)).toEqual({ return_value: 'done' });
  });

  it('say so when their result is too large to be kept', async () => {
    const runId = await sh(`head -c 6000 /dev/zero | tr '\\0' x > /dev/termination-log`, { result: 'termination' });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([{ cause: 'result_invalid' }]);
  });

  it('are killed for the memory that they take, and it is told', async () => {
    // A runtime that hears of the end before the kill calls it an exit code
    const hog = `head -c 200m /dev/zero | tail; code=$?; sleep 1; exit $code`;
    const runId = await sh(hog, { resources: { limits: { memory: '30Mi' }, requests: { memory: '30Mi' } } });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    const [end] = await launching.tries(runId);
    expect(end).toMatchObject({ cause: 'oom_killed', message: expect.stringContaining('30 MiB') });
  });

  it('end when their time is over, with what they had to say', async () => {
    const runId = await sh(`trap 'echo stopping; exit 0' TERM; echo begun; while :; do sleep 0.1; done`, {
      executionTimeout: 2,
    });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([{ cause: 'timeout' }]);
    expect(await launching.output(runId)).toEqual(['begun', 'stopping']);
    await launching.tidy();
  });

  it('stop when their run is cancelled, and nothing is left', async () => {
    const runId = await sh('echo begun; sleep 600', { terminationGrace: 1 });
    await waitFor(async () => ((await launching.launches())[0]?.['phase'] === 'started' ? true : null), {
      what: 'the start',
      timeoutMs: 30_000,
    });
    await launching.engine.cancelRun(runId, 'ann');
    await launching.tidy();
    expect(await pods()).toEqual([]);
    expect(await launching.output(runId)).toEqual(['begun']);
  });

  it('that somebody deletes are lost, which is told and costs a try', async () => {
    const runId = await sh('sleep 600', { infraRetries: 0, terminationGrace: 1 });
    await waitFor(async () => ((await launching.launches())[0]?.['phase'] === 'started' ? true : null), {
      what: 'the start',
      timeoutMs: 30_000,
    });
    const [pod] = await pods();
    await cluster().client.deletePod(cluster().namespace, pod!.metadata!.name!, { graceSeconds: 0 });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([{ cause: 'pod_deleted' }]);
  });

  it('whose image does not exist wait for it as long as they may, and say what the registry said', async () => {
    const runId = await start({ image: 'localhost/nothing:none', imagePullPolicy: 'Never', startupTimeout: 3 });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    const [end] = await launching.tries(runId);
    expect(end).toMatchObject({ cause: 'start_timeout', message: expect.stringContaining('localhost/nothing:none') });
  });

  it('stay when they are to be kept', async () => {
    const runId = await sh('exit 1', { onFinish: 'keep_failed' });
    await launching.ended(runId);
    await launching.tidy();
    const [pod] = await pods();
    expect(pod?.status?.phase).toBe('Failed');
    await cluster().client.deletePod(cluster().namespace, pod!.metadata!.name!, { graceSeconds: 0 });
  });

  it('whose Pod is not allowed fail at once with the path of what is not', async () => {
    const runId = await sh('true', { securityContext: { privileged: true } });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    const [end] = await launching.tries(runId);
    expect(end).toMatchObject({
      cause: 'rejected_by_policy',
      message: expect.stringContaining('securityContext.privileged'),
    });
  });

  it('nothing went wrong on the way', () => {
    expect(launching.errors).toEqual([]);
    expect(launching.engine.errors).toEqual([]);
  });
});

/** Results of Pods of any image, from the file that the task leaves to whoever reads them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Launcher } from '#server/executors/launcher/launcher.ts';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { statesOf } from '../helpers/engine.ts';
import type { Launching } from '../helpers/launching.ts';
import { launchingWithService, TEST_HOST, type LaunchingService } from '../helpers/launching-service.ts';
import { hasMillraceImage, WITHOUT_IMAGE } from '../helpers/millrace-image.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();

describeCluster('the result that a Pod leaves in a file', (cluster) => {
  let service: LaunchingService;
  let launching: Launching;
  let launcher: Launcher;
  beforeAll(async () => {
    service = await launchingWithService(database, cluster());
    const { addCluster, runnerImage } = service;
    await addCluster('silent', { runnerImage, serviceUrl: `http://${TEST_HOST}:9` });
    await addCluster('imageless', { serviceUrl: 'http://nowhere' });
    await addCluster('unreachable', { runnerImage: 'none' });
    launching = service.launching;
    launcher = await launching.launch();
  }, 120_000);
  afterAll(() => service.stop());
  const task = (command: string, more: object = {}) => ({
    ...{ taskId: 'a', kind: 'pod', image: 'localhost/busybox:dev', imagePullPolicy: 'IfNotPresent', retries: 0 },
    ...{ command: ['/bin/busybox', 'sh', '-c', command], result: { file: '/results/out.json', collect: true } },
    ...more,
  });
  const start = (...tasks: object[]) => launching.start({ dagId: 'collected', tasks: tasks as never });
  const launchIs = (condition: string) =>
    waitFor(async () => (await database.pool.query(`select from launch where ${condition}`)).rowCount, {
      what: `a launch where ${condition}`,
      timeoutMs: 60_000,
    });
  const pods = async () => (await cluster().client.listPods(cluster().namespace)).items;

  it('comes back as JSON or as text', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const runId = await start(
      task(`echo said; echo '{"rows": 3}' > /results/out.json`),
      task(`echo 'three rows' > /results/out.json`, { taskId: 'b' }),
    );
    expect(await launching.ended(runId, 90_000)).toEqual({ a: 'success', b: 'success' });
    const { rows } = await database.pool.query('select value from xcom where run_id = $1 order by task_index', [runId]);
    expect(rows.map((row: { value: unknown }) => row.value)).toEqual([{ rows: 3 }, 'three rows']);
    expect(await launching.output(runId)).toEqual(['said']);
    await launching.tidy();
    expect(await pods()).toEqual([]);
  });

  it('may be large, and is read by another task', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const write = `{ printf '["'; /bin/busybox head -c 1000000 /dev/zero | /bin/busybox tr '\\0' x; printf '"]'; }`;
    const length = `{{ (ti.xcom_pull('a')[0]) | length }}`;
    const read = { taskId: 'b', kind: 'bash', executor: 'kubernetes', upstream: ['a'], retries: 0 };
    const runId = await start(task(`${write} > /results/out.json`), { ...read, command: `echo ${length}` });
    expect(await launching.ended(runId, 90_000)).toEqual({ a: 'success', b: 'success' });
    expect(await launching.output(runId)).toEqual(['1000000']);
    const { rows } = await database.pool.query('select bytes from xcom where run_id = $1', [runId]);
    expect(rows).toContainEqual({ bytes: 1_000_004 });
  });

  it('fails its task when it is not there', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const runId = await start(task('true'));
    expect(await launching.ended(runId, 90_000)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([
      { cause: 'result_invalid', message: expect.stringContaining('there is no file out.json') },
    ]);
  });

  it('is not waited for when the task has failed', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const runId = await start(task('echo lost; exit 4'));
    expect(await launching.ended(runId, 90_000)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([{ cause: 'exit_code', exit_code: 4 }]);
    await launching.tidy();
    expect(await pods()).toEqual([]);
  });

  it('is brought by whichever launcher is there, however often they change', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const runId = await start(task('echo 1 > /results/out.json; sleep 3'));
    for (const condition of [`phase = 'started'`, 'result_ready_at is not null']) {
      await launchIs(condition);
      await launcher.stop();
      launcher = await launching.launch();
    }
    expect(await launching.ended(runId, 90_000)).toEqual({ a: 'success' });
    expect(await launching.xcoms(runId)).toEqual({ return_value: 1 });
  });

  it('is lost with its Pod, and nobody waits for it any longer', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const runId = await start(task('echo 1 > /results/out.json', { cluster: 'silent' }));
    await launchIs('try_number = 1 and result_ready_at is not null');
    for (const { metadata } of await pods()) await cluster().client.deletePod(cluster().namespace, metadata!.name!);
    // None of its own tries: what it ran on failed
    await launchIs(`try_number = 2 and result_ready_at is not null and reason = 'BringingResult'`);
    expect(await launching.tries(runId)).toMatchObject([
      { cause: 'pod_deleted', message: expect.stringContaining('has succeeded, but its result was not brought') },
    ]);
    await waitFor(async () => (await statesOf(database, runId))['a'] === 'running', { what: 'the task to run' });
    await launching.engine.cancelRun(runId, 'test');
    expect(await launching.ended(runId)).toEqual({ a: 'cancelled' });
    await launching.tidy();
    expect(await pods()).toEqual([]);
  });

  it.each([
    ['imageless', /has no image that brings the result of a Pod: set its runnerImage/],
    ['unreachable', /Nobody says how Pods of cluster "unreachable" reach the API/],
  ])('needs what the cluster %s has not', { timeout: 60_000 }, async (name, message) => {
    const runId = await start(task('true', { cluster: name }));
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([
      { cause: 'start_failed', message: expect.stringMatching(message) },
    ]);
  });
});

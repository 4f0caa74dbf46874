/** Tasks with code in Pods of their own; what the launcher does is done here by hand. */
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCluster } from '#db/queries/clusters.ts';
import { deployDag } from '#db/queries/dag.ts';
import { setResultReady } from '#db/queries/pod-launches.ts';
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';
import { plainPodOptions } from '#sdk/kubernetes-fields.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { packBundle } from '#server/bundles/pack-bundle.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { COLLECTOR_CONTAINER, withCollector } from '#server/executors/kubernetes/collector-container.ts';
import { buildPod, type PodInput } from '#server/executors/kubernetes/pod-spec.ts';
import { readCollected } from '#server/pod/collected-result.ts';
import { EXIT } from '#server/pod/exit-codes.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { describeCluster, hasEnded } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { reportOf, statesOf, TEST_VAULT } from '../helpers/engine.ts';
import { clusterDag, launchNext, logLinesOf, TEST_CLUSTER, triesOf } from '../helpers/launched-task.ts';
import { imageOf, TEST_HOST } from '../helpers/launching-service.ts';
import { hasMillraceImage, WITHOUT_IMAGE } from '../helpers/millrace-image.ts';
import { tsBundle } from '../helpers/runner.ts';
import { waitFor } from '../helpers/wait-for.ts';

const PYTHON = `from millrace import skip


def answer():
    import os
    print("user", os.getuid(), "home", os.access(os.environ["HOME"], os.W_OK))
    return {"n": 42}
`;

describeCluster('tasks in Pods of their own', (cluster) => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let app: TestApp;
  let image = '';
  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startTestApp(database, { host: '0.0.0.0' });
    const { kubeconfig, namespace } = cluster();
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    const credentials = { kind: 'kubeconfig' as const, kubeconfig, context: config.currentContext };
    const access = { credentials, server: config.getCurrentCluster()!.server, insecure: false };
    const settings = { ...CLUSTER_DEFAULTS, namespaces: [namespace] };
    await createCluster(database.db, TEST_VAULT, { name: TEST_CLUSTER, access, ...settings }, { actor: 'test' });
    image = await imageOf(cluster());
  }, 120_000);
  afterAll(() => app.stop());

  const port = () => new URL(app.url()).port;
  function podOf(dispatch: Dispatch, task: Partial<PodInput['task']> = {}): KubePod {
    const { namespace } = cluster();
    const built = buildPod({
      dispatch,
      task: { ...plainPodOptions(), image, command: null, args: null, result: null, terminationGrace: 5, ...task },
      limits: dispatch.task,
      cluster: {
        ...{ name: TEST_CLUSTER, namespaces: [namespace], runner_image: image, pod_defaults: null },
        ...{ pod_security: 'restricted', images: [], service_accounts: [] },
      },
      installation: 'test',
      authorIsAdmin: false,
      runner: { url: `http://${TEST_HOST}:${port()}` },
      collector: null,
    });
    if ('refused' in built) throw new Error(JSON.stringify(built.refused));
    return built.pod as KubePod;
  }
  /** Claims what is ready, and asks for its Pod. */
  async function launch(task: Partial<PodInput['task']> = {}) {
    const dispatch = await launchNext(app, database);
    const pod = await cluster().run(podOf(dispatch, task));
    const { name, namespace, uid } = pod.metadata!;
    await database.pool.query('update launch set namespace = $2, name = $3, uid = $4 where dispatch_id = $1', [
      dispatch.dispatchId.split('.').at(-1),
      namespace,
      name,
      uid,
    ]);
    return { dispatch, name: name!, pod };
  }
  const ended = (name: string) => cluster().waitForPod(name, hasEnded, { timeoutMs: 60_000 });
  const baseEnd = (pod: KubePod) => pod.status?.containerStatuses?.[0]?.state?.terminated;
  async function deploy(dagId: string, tasks: object[], files: { [path: string]: string } = {}): Promise<number> {
    const list = Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text), executable: false }));
    const bundle = list.length > 0 ? await packBundle(list) : null;
    const { dagId: id } = await deployDag(database.db, { spec: clusterDag({ dagId, tasks }), bundle, actor: 'test' });
    const [run] = await app.engine.createRuns([{ dagId: id, kind: 'manual' }]);
    return run!.runId;
  }
  const test = (name: string, run: () => Promise<void>) =>
    it(name, { timeout: 120_000 }, async ({ skip }) => {
      skip(!hasMillraceImage(), WITHOUT_IMAGE);
      await run();
      await checkRuns(database);
    });

  test('bash, python and typescript: their logs are whole, their results there, the token in no field of the Pod', async () => {
    const runId = await deploy(
      'dag',
      [
        { taskId: 'shell', kind: 'bash', command: 'seq 1 5000; echo "$GREETING {{ run_id }}"; id -u >&2' },
        { taskId: 'snake', kind: 'python', callable: 'tasks.py:answer', upstream: ['shell'] },
        {
          ...{ taskId: 'script', kind: 'typescript', upstream: ['snake'] },
          inputs: { from: { task: 'snake', key: 'return_value' } },
        },
      ],
      {
        'tasks.py': PYTHON,
        ...tsBundle({ script: `({ from }) => { console.log('got', from.n); return from.n + 1; }` }),
      },
    );
    const pods = [];
    for (const task of ['shell', 'snake', 'script']) {
      const launched = await launch({ env: { GREETING: 'hello' } });
      expect(launched.dispatch.taskId).toBe(task);
      const end = await ended(launched.name);
      const { exitCode, message } = baseEnd(end) ?? {};
      expect(exitCode, `${message}\n${(await logLinesOf(database, launched.dispatch.dispatchId)).join('\n')}`).toBe(
        EXIT.ok,
      );
      pods.push({ ...launched, end });
    }
    expect(await statesOf(database, runId)).toEqual({ shell: 'success', snake: 'success', script: 'success' });

    const [shell, snake, script] = await Promise.all(pods.map((p) => logLinesOf(database, p.dispatch.dispatchId)));
    const output = shell!.filter((line) => line.startsWith('o '));
    expect(output.slice(0, 5000)).toEqual(Array.from({ length: 5000 }, (_, i) => `o ${i + 1}`));
    expect(output.at(-1)).toMatch(/^o hello manual__/);
    expect(shell).toContain('e 10001');
    expect(snake).toContain('o user 10001 home True');
    expect(script).toContain('o got 42');
    const { rows } = await database.pool.query('select value from xcom where run_id = $1 order by task_index', [runId]);
    expect(rows.map(({ value }) => value)).toContainEqual({ n: 42 });
    expect(rows.at(-1)).toEqual({ value: 43 });

    for (const { end } of pods) {
      const told = JSON.stringify(end);
      // Both kinds of token are JWTs
      expect(told).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
    }
  });

  test('a task that fails ends its Pod with 1, and the reason stands there as well', async () => {
    const runId = await deploy('fails', [{ taskId: 'a', kind: 'bash', command: 'echo lost >&2; exit 4', retries: 0 }]);
    const { name } = await launch();
    expect(baseEnd(await ended(name))).toMatchObject({
      exitCode: EXIT.failed,
      message: expect.stringContaining('Exit code 4: lost'),
    });
    expect(await triesOf(database, runId)).toMatchObject([{ outcome: 'failed', cause: 'exit_code' }]);
  });

  test('runs on a root that is read-only', async () => {
    const runId = await deploy('readonly', [{ taskId: 'a', kind: 'bash', command: 'pwd; echo x > file; cat file' }]);
    const { name, dispatch } = await launch({
      securityContext: { readOnlyRootFilesystem: true },
      volumes: [{ name: 'tmp', emptyDir: {} }],
      volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
    });
    await ended(name);
    expect(await statesOf(database, runId)).toEqual({ a: 'success' });
    expect(await logLinesOf(database, dispatch.dispatchId)).toContain('o x');
  });

  test('a Pod that is deleted interrupts its task, which may clean up, and says so', async () => {
    const command = 'trap "echo leaving; exit 0" TERM; echo begun; while :; do sleep 0.1; done';
    const runId = await deploy('deleted', [{ taskId: 'a', kind: 'bash', command, retries: 0 }]);
    const { name, dispatch } = await launch();
    const lines = () => logLinesOf(database, dispatch.dispatchId);
    await waitFor(async () => (await lines()).includes('o begun'), { what: 'the task', timeoutMs: 60_000 });
    await cluster().client.deletePod(cluster().namespace, name);
    await waitFor(async () => (await triesOf(database, runId)).length > 0, { what: 'its end', timeoutMs: 30_000 });
    expect(await triesOf(database, runId)).toMatchObject([{ outcome: 'failed', cause: 'interrupted' }]);
    expect(await lines()).toContain('o leaving');
  });

  test('another Pod with the same service account is refused', async () => {
    const runId = await deploy('stolen', [{ taskId: 'a', kind: 'bash', command: 'echo never' }]);
    const dispatch = await launchNext(app, database);
    const body = podOf(dispatch);
    await database.pool.query('update launch set namespace = $2, name = $3 where dispatch_id = $1', [
      dispatch.dispatchId.split('.').at(-1),
      cluster().namespace,
      body.metadata!.name,
    ]);
    const thief = { ...body, metadata: { ...body.metadata, name: 'thief' } };
    await cluster().run(thief);
    expect(baseEnd(await ended('thief'))?.exitCode).toBe(EXIT.refused);
    expect(await logLinesOf(database, dispatch.dispatchId)).toEqual([]);
    expect(app.logged).toContainEqual(expect.objectContaining({ reason: expect.stringMatching(/that of Pod thief/) }));
    await app.engine.cancelRun(runId, 'test');
  });

  test('the result that a Pod of any image leaves in a file is brought, however large, and the Pod ends by itself', async () => {
    const runId = await deploy('collected', [{ taskId: 'a', kind: 'bash', command: 'true' }]);
    const dispatch = await launchNext(app, database);
    const uuid = dispatch.dispatchId.split('.').at(-1)!;
    const plain = cluster().pod(
      `i=0; printf '["' > /out/r.json; while [ $i -lt 3000 ]; do printf 0123456789; i=$((i+1)); done >> /out/r.json; printf '"]' >> /out/r.json`,
    );
    const spec = withCollector(
      { ...plain.spec!, securityContext: { runAsUser: 10_001, runAsNonRoot: true, fsGroup: 10_001 } },
      dispatch,
      { name: TEST_CLUSTER },
      `http://${TEST_HOST}:${port()}`,
      { file: '/out/r.json', image },
    );
    const { name = '', namespace, uid } = (await cluster().run({ ...plain, spec })).metadata!;
    await database.pool.query('update launch set namespace = $2, name = $3, uid = $4 where dispatch_id = $1', [
      ...[uuid, namespace, name, uid],
    ]);
    const statusOf = (pod: KubePod, container: string) =>
      pod.status?.containerStatuses?.find((status) => status.name === container)?.state?.terminated;
    await cluster().waitForPod(name, (pod) => statusOf(pod, 'base')?.exitCode === 0);
    await setResultReady(database.db, uuid);
    const collector = statusOf(await ended(name), COLLECTOR_CONTAINER);
    expect(collector).toMatchObject({ exitCode: EXIT.ok });
    const results = readCollected(collector?.message ?? null);
    if ('problem' in results) throw new Error(results.problem);
    expect(results).toMatchObject({ artifacts: { return_value: { bytes: 30_004 } } });
    await app.engine.report({ workerId: null, reports: [reportOf(dispatch, 'success', results)] });
    expect(await statesOf(database, runId)).toEqual({ a: 'success' });
  });
});

/** Objects of any kind as tasks, on a real cluster. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '#server/executors/kubernetes/kube-types.ts';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createLaunching, type Launching } from '../helpers/launching.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const SPARK = { apiVersion: 'sparkoperator.k8s.io/v1beta2', kind: 'SparkApplication' };
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: 'sparkapplications.sparkoperator.k8s.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
  },
  spec: {
    group: 'sparkoperator.k8s.io',
    names: { kind: 'SparkApplication', plural: 'sparkapplications', singular: 'sparkapplication' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1beta2',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

describeCluster('resource tasks', (cluster) => {
  let launching: Launching;
  beforeAll(async () => {
    launching = await createLaunching(database);
    const credentials = { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' } as const;
    await launching.addCluster('default', credentials, { namespaces: [cluster().namespace] });
    await launching.launch();
  });
  afterAll(() => launching.stop());

  let dags = 0;
  const start = (task: object) =>
    launching.start({ dagId: `objects_${++dags}`, tasks: [{ taskId: 'a', kind: 'resource', ...task }] as never });
  const job = (command: string, spec: object = {}) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work' },
    spec: {
      backoffLimit: 0,
      ...spec,
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [
            { name: 'main', image: cluster().image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', command] },
          ],
        },
      },
    },
  });
  const jobs = async () =>
    (await cluster().client.list({ apiVersion: 'batch/v1', kind: 'Job', namespace: cluster().namespace })).items;

  it('a Job runs to its end, with its output and a result, and goes with its Pods', async () => {
    const runId = await start({ manifest: job('echo from a Job of {{ dag.dag_id }}'), result: '$.status.succeeded' });
    expect(await launching.ended(runId)).toEqual({ a: 'success' });
    expect(await launching.output(runId)).toEqual([
      expect.stringMatching(/^\[work-.*\/main\] from a Job of objects_1$/),
    ]);
    expect(await launching.xcoms(runId)).toEqual({ return_value: 1 });
    await launching.tidy();
    expect(await jobs()).toEqual([]);
    expect((await cluster().client.listPods(cluster().namespace)).items).toEqual([]);
    expect(await launching.records(runId)).toMatchObject([{ kind: 'resource' }]);
  });

  it('a Job that fails is told with its own words', async () => {
    const runId = await start({ manifest: job('exit 3') });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([
      { cause: 'resource_failed', message: expect.stringContaining('backoff limit') },
    ]);
  });

  it('is removed when its run is cancelled', async () => {
    const runId = await start({ manifest: job('sleep 600') });
    await waitFor(async () => ((await launching.launches())[0]?.['phase'] === 'started' ? true : null), {
      what: 'the start',
      timeoutMs: 30_000,
    });
    await launching.engine.cancelRun(runId, 'ann');
    await launching.tidy();
    expect(await jobs()).toEqual([]);
  });

  it('an object without Pods succeeds by what it says of itself', async () => {
    const runId = await start({
      manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'told' }, data: { day: '{{ dag.dag_id }}' } },
      result: '$.data.day',
    });
    expect(await launching.ended(runId)).toEqual({ a: 'success' });
    expect(Object.values(await launching.xcoms(runId))).toEqual([expect.stringMatching(/^objects_/)]);
    await launching.tidy();
  });

  it('a kind that the cluster does not know is refused with what to do', async () => {
    const runId = await start({ manifest: { apiVersion: 'nobody.example/v1', kind: 'Nothing', metadata: {} } });
    expect(await launching.ended(runId)).toEqual({ a: 'failed' });
    expect(await launching.tries(runId)).toMatchObject([
      { cause: 'rejected_by_cluster', message: expect.stringContaining('CustomResourceDefinition') },
    ]);
  });

  it('a custom resource is followed by what its controller writes', async () => {
    const { client, namespace } = cluster();
    const known = await client.getObject({ ...CRD, namespace: '', name: CRD.metadata.name });
    if (!known) await cluster().apply(CRD, '');
    const source = { ...SPARK, namespace };
    await waitFor(async () => client.list(source).catch(() => null), {
      what: 'the kind to be served',
      timeoutMs: 30_000,
    });
    const runId = await start({ manifest: { ...SPARK, metadata: { name: 'pi' }, spec: { type: 'Python' } } });
    const made = await waitFor(async () => (await client.list<KubeObject>(source)).items[0] ?? null, {
      what: 'the object',
      timeoutMs: 30_000,
    });
    const { name } = made.metadata!;
    const say = (state: string) =>
      cluster().custom.patchNamespacedCustomObject({
        group: 'sparkoperator.k8s.io',
        version: 'v1beta2',
        namespace,
        plural: 'sparkapplications',
        name: name!,
        body: [{ op: 'add', path: '/status', value: { applicationState: { state } } }],
      });
    await say('RUNNING');
    await waitFor(async () => ((await launching.launches())[0]?.['phase'] === 'started' ? true : null), {
      what: 'the start',
      timeoutMs: 30_000,
    });
    await say('COMPLETED');
    expect(await launching.ended(runId)).toEqual({ a: 'success' });
    await launching.tidy();
    expect((await client.list(source)).items).toEqual([]);
  });

  it('nothing went wrong in the engine', () => expect(launching.engine.errors).toEqual([]));
});

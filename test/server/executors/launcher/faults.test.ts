/** What a real cluster does not show on demand: lost answers, throttling, watches that break, nodes that go. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { deleteCluster } from '#db/queries/clusters.ts';
import type { ClusterCredentials } from '#sdk/clusters.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import { NO_METRICS, type LaunchStep } from '#server/executors/launcher/launch-metrics.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { statesOf } from '../../../helpers/engine.ts';
import { startFakeKube, type FakeKube, type FakeKubeOptions } from '../../../helpers/fake-kube.ts';
import { createLaunching, type Launching } from '../../../helpers/launching.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const database = await createTestDatabase();
const launching: Launching = await createLaunching(database);
let kube: FakeKube;
let clusters = 0;
let cluster = '';

async function begin(options: FakeKubeOptions = {}, credentialsOf?: (url: string) => ClusterCredentials) {
  kube = await startFakeKube({ script: () => ({ runMs: 50, log: ['hello'] }), ...options });
  cluster = `fake-${++clusters}`;
  const limits = { qps: 1000, burst: 1000, parallelCreates: 50 };
  await launching.addCluster(cluster, credentialsOf?.(kube.url) ?? kube.credentials, {
    namespaces: ['tasks'],
    ...limits,
  });
}
beforeEach(async () => {
  launching.errors.splice(0);
  await database.pool.query('delete from cluster');
});
afterEach(async () => {
  await launching.tidy();
  await kube.close();
});
afterAll(() => launching.stop());

let dags = 0;
const start = (count = 1, task: object = {}) =>
  launching.start({
    dagId: `faults_${++dags}`,
    tasks: Array.from({ length: count }, (_, i) => ({
      taskId: `t${i}`,
      kind: 'pod',
      cluster,
      image: 'any:1',
      ...task,
    })) as never,
  });
const created = () => kube.count('create', 'pods');
const total = () => [...kube.counts.values()].reduce((sum, count) => sum + count, 0);
const onlyTries = async (runId: number) => (await launching.tries(runId)).map((one) => one.try_number);

it('a create whose answer was lost makes one Pod', async () => {
  await begin();
  kube.fail({ verb: 'create', drop: true, carriedOut: true });
  const launcher = await launching.launch();
  const runId = await start();
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await launching.output(runId)).toEqual(['hello']);
  expect(await onlyTries(runId)).toEqual([1]);
  expect(created()).toBe(1);
  await launching.tidy();
  expect(kube.pods('tasks').length).toBe(0);
  await launcher.stop();
});

it('a Pod that may be there is looked for until the API answers', async () => {
  await begin();
  kube.fail({ verb: 'create', drop: true, carriedOut: true });
  kube.fail({ verb: 'get', resource: 'pods', status: 503, message: 'the API is away', retryAfter: 1 });
  kube.fail({ verb: 'get', resource: 'pods', status: 401, message: 'Unauthorized' });
  kube.fail({ verb: 'get', resource: 'pods', drop: true });
  kube.fail({ verb: 'delete', status: 503, times: Infinity });
  const launcher = await launching.launch();
  await waitFor(() => kube.watching() === 1, { what: 'the watch' });
  // So that the search alone can find it
  kube.silence(true);
  const runId = await start();
  await waitFor(async () => (await launching.launches()).some(({ reason }) => reason === 'unavailable'), {
    what: 'the reason to be told',
  });
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await launching.output(runId)).toEqual(['hello']);
  expect(await onlyTries(runId)).toEqual([1]);
  expect(created()).toBe(1);
  expect(kube.count('get', 'pods')).toBe(4);
  // The watch must know it before it goes
  kube.silence(false);
  kube.endWatches('reset');
  await waitFor(() => kube.count('list') === 2 && kube.watching() === 1, { what: 'the next list' });
  kube.heal();
  await launching.tidy();
  await launcher.stop();
});

it('credentials that cannot be used for a while keep a task waiting, and cost no try', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  const file = join(folder, 'credential.json');
  const apiVersion = 'client.authentication.k8s.io/v1';
  await begin({}, (server) => ({
    // As nobody can store it: a program that fails is the simplest thing that cannot be used
    ...{ kind: 'kubeconfig', context: 'a', allowExec: true },
    kubeconfig: JSON.stringify({
      'current-context': 'a',
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { exec: { apiVersion, command: 'cat', args: [file] } } }],
      contexts: [{ name: 'a', context: { cluster: 'c', user: 'u' } }],
    }),
  }));
  const launcher = await launching.launch();
  const runId = await start();
  const reason = async () =>
    (await launching.launches()).map((row) => `${String(row['reason'])}: ${String(row['message'])}`);
  await waitFor(async () => /^unavailable: .*credentials cannot be used/.test(String(await reason())), {
    what: 'the reason to be told',
  });
  await writeFile(file, JSON.stringify({ apiVersion, kind: 'ExecCredential', status: { token: 'a-token-of-a-test' } }));
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await onlyTries(runId)).toEqual([1]);
  await launching.tidy();
  await launcher.stop();
  await rm(folder, { recursive: true });
});

it('a create that never arrived is made again', async () => {
  await begin();
  kube.fail({ verb: 'create', drop: true });
  const launcher = await launching.launch();
  const runId = await start();
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(created()).toBe(2);
  expect(await onlyTries(runId)).toEqual([1]);
  await launching.tidy();
  await launcher.stop();
});

it('throttling and errors of the server cost no try', async () => {
  await begin();
  kube.fail({ verb: 'create', status: 429, retryAfter: 1, times: 2 });
  kube.fail({ verb: 'create', status: 500, message: 'etcdserver: request timed out', times: 2 });
  const launcher = await launching.launch();
  const runId = await start(3);
  expect(await launching.ended(runId)).toEqual({ t0: 'success', t1: 'success', t2: 'success' });
  expect(await onlyTries(runId)).toEqual([1, 1, 1]);
  await launching.tidy();
  await launcher.stop();
});

it('a watch that is too old, broken or gone loses no end', async () => {
  await begin({ script: () => ({ runMs: 300 }) });
  const launcher = await launching.launch();
  const runId = await start(10);
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    kube.compact();
    kube.endWatches(round % 2 ? 'end' : 'reset');
  }
  expect(new Set(Object.values(await launching.ended(runId)))).toEqual(new Set(['success']));
  expect(await onlyTries(runId)).toEqual(Array.from({ length: 10 }, () => 1));
  await launching.tidy();
  await launcher.stop();
});

it('a Pod that is evicted before its code began is made anew, and no try is lost', async () => {
  let first = true;
  await begin({
    script: () => {
      if (!first) return { runMs: 20 };
      first = false;
      return { startMs: null };
    },
  });
  const launcher = await launching.launch();
  const runId = await start();
  const pod = await waitFor(() => Promise.resolve(kube.pods('tasks')[0] ?? null), {
    what: 'the Pod',
    timeoutMs: 10_000,
  });
  kube.change('tasks', pod.metadata!.name!, (old: KubePod) => {
    old.status = {
      ...old.status,
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on resource: memory.',
    };
  });
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await onlyTries(runId)).toEqual([1]);
  expect(created()).toBe(2);
  await launching.tidy();
  await launcher.stop();
});

it('a quota that is used up is asked little, and everything runs in the end', async () => {
  await begin({ quotaPods: 2, script: () => ({ runMs: 100 }) });
  const launcher = await launching.launch();
  const runId = await start(30);
  expect(new Set(Object.values(await launching.ended(runId)))).toEqual(new Set(['success']));
  expect(await onlyTries(runId)).toEqual(Array.from({ length: 30 }, () => 1));
  // Once for each, and some that were refused: never all of them again and again
  expect(created()).toBeLessThan(90);
  await launching.tidy();
  await launcher.stop();
});

it('a task that is cancelled while its Pod is being made leaves none', async () => {
  await begin({ createLatencyMs: 300, script: () => ({ runMs: 60_000 }) });
  const launcher = await launching.launch();
  const runId = await start();
  await waitFor(() => Promise.resolve(created() > 0 ? true : null), { what: 'the create', timeoutMs: 10_000 });
  await launching.engine.cancelRun(runId, 'ann');
  await launching.tidy();
  await waitFor(() => Promise.resolve(kube.pods('tasks').length === 0 ? true : null), {
    what: 'no Pod',
    timeoutMs: 60_000,
  });
  expect(created()).toBe(1);
  await launcher.stop();
});

it('a launcher that stops while it claims leaves what it gets to another', async () => {
  let runMs: number | null = null;
  await begin({ script: () => ({ runMs }) });
  const { engine } = launching;
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let claimed = 0;
  const claim: typeof engine.claim = async (what) => {
    const dispatches = await engine.claim(what);
    claimed += dispatches.length;
    if (claimed > 1) await held;
    return dispatches;
  };
  const stopping = await launching.launch('one', { engine: { ...engine, claim } });
  const endless = await start();
  await waitFor(() => kube.following() === 1, { what: 'a task to run' });
  const runId = await start(3);
  await waitFor(() => claimed > 1, { what: 'the claim' });
  const stopped = stopping.stop();
  await waitFor(() => kube.following() === 0, { what: 'the task that runs to be left' });
  letGo();
  await stopped;
  expect(created()).toBe(1);
  await engine.cancelRun(endless, 'ann');
  runMs = 20;
  const launcher = await launching.launch('two');
  expect(new Set(Object.values(await launching.ended(runId)))).toEqual(new Set(['success']));
  expect(await onlyTries(runId)).toEqual([1, 1, 1]);
  await launching.tidy();
  await launcher.stop();
  expect(launching.errors).toEqual([]);
});

it('a launcher that stops tells no end whose output it has not read', async () => {
  await begin();
  kube.fail({ verb: 'get', resource: 'pods/log', delayMs: 60_000, drop: true });
  const steps: LaunchStep[] = [];
  const stopping = await launching.launch('one', {
    metricsOf: () => ({ ...NO_METRICS, took: (step) => void steps.push(step) }),
  });
  const runId = await start();
  await waitFor(() => steps.includes('run'), { what: 'its end to be seen' });
  await stopping.stop();
  expect(await statesOf(database, runId)).toEqual({ t0: 'running' });
  const launcher = await launching.launch('two');
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await launching.output(runId)).toEqual(['hello']);
  await launching.tidy();
  await launcher.stop();
});

it('a launcher waits for no answer when it stops; another one cleans up', async () => {
  await begin();
  kube.fail({ verb: 'delete', delayMs: 120_000, drop: true });
  const stopping = await launching.launch('one');
  const runId = await start();
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  await waitFor(() => kube.count('delete') > 0, { what: 'the deletion to be asked for' });
  let stopped = false;
  void stopping.stop().then(() => (stopped = true));
  await waitFor(() => stopped, { timeoutMs: 10_000, what: 'the launcher to stop' });
  kube.heal();
  const launcher = await launching.launch('two');
  await launching.tidy();
  expect(kube.pods('tasks')).toEqual([]);
  await launcher.stop();
});

it('a launcher does not wait for a database that is away when it stops', async () => {
  await begin();
  kube.fail({ verb: 'get', resource: 'pods/log', delayMs: 500 });
  let isAway = false;
  const query = (...args: [never]) =>
    isAway ? Promise.reject(new Error('the database is away')) : database.pool.query(...args);
  const pool = Object.assign(Object.create(database.pool) as typeof database.pool, { query });
  const steps: LaunchStep[] = [];
  const stopping = await launching.launch('one', {
    pool,
    metricsOf: () => ({ ...NO_METRICS, took: (step) => void steps.push(step) }),
  });
  const runId = await start();
  await waitFor(() => steps.includes('run'), { what: 'its end to be seen' });
  isAway = true;
  await waitFor(() => launching.errors.some((error) => error.includes('store logs')), { what: 'a log not stored' });
  let stopped = false;
  void stopping.stop().then(() => (stopped = true));
  await waitFor(() => stopped, { timeoutMs: 10_000, what: 'the launcher to stop' });
  const launcher = await launching.launch('two', { silentSeconds: 3 });
  expect(await launching.ended(runId)).toEqual({ t0: 'success' });
  expect(await launching.output(runId)).toEqual(['hello']);
  expect(await onlyTries(runId)).toEqual([1]);
  await launching.tidy();
  await launcher.stop();
});

it.each([
  ['behind', -1],
  ['ahead', 1],
])('a cluster whose clock is an hour %s gives a task its time to start, and no more', async (_, hours) => {
  let first = true;
  const script = () => {
    const startMs = first ? 100 : null;
    first = false;
    return { startMs, runMs: 50 };
  };
  await begin({ clockMs: hours * 3_600_000, script });
  const launcher = await launching.launch();
  const starting = await start();
  expect(await launching.ended(starting)).toEqual({ t0: 'success' });
  const stuck = await start(1, { startupTimeout: 1, infraRetries: 0 });
  expect(await launching.ended(stuck)).toEqual({ t0: 'failed' });
  expect(await launching.tries(stuck)).toMatchObject([{ cause: 'start_timeout' }]);
  await launching.tidy();
  await launcher.stop();
});

it('tasks whose cluster is removed end, and those that had not begun wait for another of its name', async () => {
  await begin({ script: () => ({ runMs: 60_000 }), quotaPods: 1 });
  const launcher = await launching.launch();
  const runId = await start(2, { infraRetries: 0 });
  const reasonOf = async () =>
    (await launching.launches()).map((row) => `${String(row['phase'])} ${String(row['reason'])}`).sort();
  await waitFor(async () => ((await reasonOf()).join() === 'started null,waiting quota' ? true : null), {
    what: 'one to run and one to wait',
    timeoutMs: 20_000,
  });
  await deleteCluster(database.db, cluster, { actor: 'ann', force: true });
  await launching.tidy();
  const states = async () =>
    Object.values(await statesOf(database, runId))
      .sort()
      .join();
  await waitFor(async () => ((await states()) === 'failed,queued' ? true : null), {
    what: 'their ends',
    timeoutMs: 10_000,
  });
  expect(await launching.tries(runId)).toMatchObject([{ cause: 'node_lost' }]);
  await launching.engine.cancelRun(runId, 'ann');
  await launcher.stop();
});

it('costs four requests a task, and lists once', async () => {
  await begin();
  const launcher = await launching.launch();
  await launching.ended(await start());
  await launching.tidy();
  const lists = kube.count('list', 'pods');
  const before = total();
  await launching.ended(await start(20));
  await launching.tidy();
  expect(kube.count('list', 'pods')).toBe(lists);
  expect((total() - before) / 20).toBeLessThanOrEqual(4);
  await launcher.stop();
});

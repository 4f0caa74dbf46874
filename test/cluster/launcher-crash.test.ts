/** Launchers that die, and several at once: nothing is lost, and nothing runs twice. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { LABELS } from '#server/executors/kubernetes/labels.ts';
import type { ObjectWatch } from '#server/executors/kubernetes/object-watch.ts';
import { startPodWatch } from '#server/executors/kubernetes/pod-watch.ts';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createLaunching, type Launching } from '../helpers/launching.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const main = fileURLToPath(new URL('../helpers/launcher-process-main.ts', import.meta.url));

describeCluster('a launcher', (cluster) => {
  let launching: Launching;
  const children = new Set<ChildProcess>();
  /** Pods by dispatch: what the cluster really had. */
  let pods: Map<string, Set<string>>;
  let watch: ObjectWatch;
  beforeAll(async () => {
    launching = await createLaunching(database);
    const credentials = { kind: 'kubeconfig', kubeconfig: cluster().kubeconfig, context: 'loaded-context' } as const;
    await launching.addCluster('default', credentials, { namespaces: [cluster().namespace] });
  });
  beforeEach(async () => {
    pods = new Map();
    watch = startPodWatch({
      client: cluster().client,
      namespace: cluster().namespace,
      labelSelector: LABELS.dispatch,
      onPod({ metadata }) {
        const uuid = metadata?.labels?.[LABELS.dispatch] ?? '';
        pods.set(uuid, (pods.get(uuid) ?? new Set()).add(metadata?.uid ?? ''));
      },
      onGone: () => undefined,
      onError: () => undefined,
    });
    await watch.synced;
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
    await watch.stop();
  });
  afterAll(() => launching.stop());

  async function launch(name: string, silentSeconds = 30): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['--import', 'tsx', main, database.url, name, String(silentSeconds)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    await once(child.stdout, 'data');
    return child;
  }
  async function kill(child: ChildProcess): Promise<void> {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    children.delete(child);
    await gone;
  }
  let dags = 0;
  const start = (count: number, command: string) =>
    launching.start({
      dagId: `crash_${++dags}`,
      tasks: Array.from({ length: count }, (_, i) => ({
        taskId: `t${i}`,
        kind: 'pod',
        image: cluster().image,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', command],
        terminationGrace: 1,
      })) as never,
    });
  /** Every dispatch had one Pod, every task one try, and the log is whole. */
  const onceEach = async (runId: number, count: number, lines: string[]) => {
    const states = await launching.ended(runId, 120_000);
    expect(Object.values(states)).toEqual(Array.from({ length: count }, () => 'success'));
    expect((await launching.tries(runId)).map((one) => one.try_number)).toEqual(Array.from({ length: count }, () => 1));
    expect([...pods.values()].map((uids) => uids.size)).toEqual(Array.from({ length: count }, () => 1));
    expect(await launching.output(runId)).toEqual(Array.from({ length: count }, () => lines).flat());
  };

  it('that is killed at ten moments comes back, and everything runs once', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);
    const runId = await start(5, 'for i in $(seq 1 20); do echo line $i; sleep 0.2; done');
    for (let round = 0; round < 10; round++) {
      const child = await launch('steady');
      // From before the first claim to the cleaning up
      await sleep(Math.random() * 150 * (round + 1));
      await kill(child);
    }
    await launch('steady');
    await onceEach(runId, 5, lines);
    await launching.tidy();
    expect((await cluster().client.listPods(cluster().namespace)).items).toEqual([]);
  });

  it('that is gone for good is replaced by another, which goes on with what it had', async () => {
    const runId = await start(3, 'echo begun; sleep 8; echo done');
    const first = await launch('first', 3);
    await waitFor(
      async () => ((await launching.launches()).filter((row) => row['phase'] === 'started').length === 3 ? true : null),
      {
        what: 'three Pods to run',
        timeoutMs: 60_000,
      },
    );
    await kill(first);
    await launch('second', 3);
    await onceEach(runId, 3, ['begun', 'done']);
    await launching.tidy();
  });

  it('works beside others without getting in their way', async () => {
    await Promise.all([launch('one', 3), launch('two', 3), launch('three', 3)]);
    const runId = await start(12, 'echo hello');
    await onceEach(runId, 12, ['hello']);
    await launching.tidy();
  });

  it('nothing went wrong in the engine', () => expect(launching.engine.errors).toEqual([]));
});

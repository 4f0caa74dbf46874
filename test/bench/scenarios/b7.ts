/** B7: tasks that are Pods: against a stand-in, which shows what the launcher takes, and on a real cluster beside Pods made bare. */
import type { ClusterCredentials } from '#sdk/clusters.ts';
import { runBarePods } from '../bare-pods.ts';
import { treesOf, withClient } from '../engine-rounds.ts';
import { measure } from '../measure.ts';
import type { PodWork } from '../pod-work.ts';
import { quiet, roundsOf } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';
import { verifyRuns } from '../verify.ts';

const VARIANT = { variant: 'k' } as const;
const AT_ONCE = 12;
const WARM = 100;

interface Run {
  ms: number;
  tidyMs: number;
  firstRun: number;
}
interface Taken {
  requests: { [request: string]: number };
  creations: number;
  createMs: number;
}
interface Rows {
  pods: Row;
  tasks: Row;
  requests: Row;
  lists: Row;
}

const sum = (requests: Taken['requests'], verb = ''): number =>
  Object.entries(requests).reduce((total, [name, count]) => total + (name.startsWith(verb) ? count : 0), 0);

/** Everything from an empty database to a checked run. */
async function onLauncher<T>(
  bench: Bench,
  side: Side,
  request: { credentials: ClusterCredentials; namespace: string; limits?: object },
  work: (url: string, deploy: (work: PodWork) => Promise<number>) => Promise<T>,
): Promise<T> {
  const url = await bench.postgres.create('b7');
  try {
    await side.call('open', { url, ...request });
    return await work(url, (dag) => side.call<number>('deploy', dag));
  } finally {
    await side.call('close');
    await bench.postgres.drop('b7');
  }
}

function rowsOf(latency: number, tasks: number): Rows {
  const named = `${tasks.toLocaleString('en')} Pods, ${latency} ms for a creation`;
  const row = (key: string, what: string, unit: Row['unit']) =>
    newRow({ key, workload: `${named}: ${what}`, unit, ...VARIANT, tasks });
  return {
    pods: row('B7.pods', 'Pods created, first to last', 'pods/s'),
    tasks: row('B7.tasks', 'from the trigger to the end of the run', 'tasks/s'),
    requests: row('B7.requests', 'requests a task', 'ratio'),
    lists: row('B7.lists', 'lists while it ran', 'ratio'),
  };
}

async function standInRound(bench: Bench, sides: { kube: Side; launcher: Side }, latency: number, rows: Rows) {
  const { kube, launcher } = sides;
  const { tasks } = rows.pods;
  const credentials = await kube.call<ClusterCredentials>('open', { createLatencyMs: latency });
  const dag = { image: 'any', command: ['true'] };
  try {
    await onLauncher(bench, launcher, { credentials, namespace: 'bench' }, async (url, deploy) => {
      const warm = await deploy({ ...dag, dagId: 'warm', tasks: WARM });
      const dagId = await deploy({ ...dag, dagId: 'pods', tasks });
      await launcher.call('run', { dagId: warm });
      await quiet(bench);
      await kube.call('take');
      const { result, cost } = await measure(treesOf(bench, [launcher]), () => launcher.call<Run>('run', { dagId }));
      const { requests, creations, createMs } = await kube.call<Taken>('take');
      await withClient(url, (client) => verifyRuns(client, result.firstRun, 1, { brief: true }));
      if (creations !== tasks) throw new Error(`${creations} Pods were created for ${tasks} tasks`);
      const add = (row: Row, value: number) => void (row.values.push(value), row.costs.push(cost));
      add(rows.pods, creations / (createMs / 1000));
      add(rows.tasks, tasks / (result.ms / 1000));
      add(rows.requests, sum(requests) / tasks);
      add(rows.lists, sum(requests, 'list '));
      const each = Object.entries(requests).map(([name, count]) => `${name} ${(count / tasks).toFixed(2)}`);
      bench.log(
        `B7 ${latency} ms: ${(creations / (createMs / 1000)).toFixed(0)} Pods/s, ${(tasks / (result.ms / 1000)).toFixed(0)} tasks/s, all gone after ${result.tidyMs.toFixed(0)} ms; a task: ${each.join(', ')}; node ${(cost.nodeCpu / tasks).toFixed(0)} µs, Postgres ${(cost.databaseCpu / tasks).toFixed(0)} µs, others ${(cost.foreign * 100).toFixed(0)} %`,
      );
    });
  } finally {
    await kube.call('close');
  }
}

async function onStandIn(bench: Bench, launcher: Side): Promise<Row[]> {
  const tasks = bench.options.quick ? 200 : 1000;
  const kube = await startSide('stand-in', 'sides/kube');
  try {
    const all: Row[] = [];
    for (const latency of [5, 150]) {
      const rows = rowsOf(latency, tasks);
      all.push(...Object.values(rows));
      for (let n = 0; n < roundsOf(bench, 3, 1); n++)
        await standInRound(bench, { kube, launcher }, latency, rows).catch((error: unknown) => {
          rows.pods.failures.push(String(error));
          bench.log(`B7: ${String(error)}`);
        });
    }
    return all;
  } finally {
    await kube.stop();
  }
}

/** In turns, so that a node that gets slower does so for both. */
async function onCluster(bench: Bench, launcher: Side): Promise<Row[]> {
  // It brings the client library along, which nobody else needs
  const { openTestCluster } = await import('../../helpers/cluster.ts');
  const cluster = await openTestCluster();
  const pods = bench.options.quick ? 12 : 40;
  const named = `${pods} Pods on a cluster, ${AT_ONCE} at once`;
  const command = ['true'];
  const ours = newRow({ key: 'B7.cluster', workload: named, unit: 'tasks/min', ...VARIANT, tasks: pods });
  const bare = newRow({
    key: 'B7.bare',
    workload: named,
    unit: 'tasks/min',
    side: 'bare loop over the API',
    tasks: pods,
  });
  const share = newRow({
    key: 'B7.share',
    workload: `${named}, as a share of the bare loop`,
    unit: 'ratio',
    ...VARIANT,
  });
  const { image, client, namespace, kubeconfig } = cluster;
  const credentials = { kind: 'kubeconfig', kubeconfig, context: 'loaded-context' } as const;
  const perMinute = (ms: number) => pods / (ms / 60_000);
  const pod = (name: string) => {
    const made = cluster.pod('true', { name });
    return { ...made, spec: { ...made.spec!, containers: [{ ...made.spec!.containers[0]!, command }] } };
  };
  try {
    const request = { credentials, namespace, limits: { maxPods: AT_ONCE } };
    await onLauncher(bench, launcher, request, async (url, deploy) => {
      const dagId = await deploy({ dagId: 'pods', tasks: pods, image, command });
      await runBarePods({ client, namespace, pods: 2, atOnce: 2, pod });
      for (let n = 0; n < roundsOf(bench, 2, 1); n++) {
        const alone = await runBarePods({ client, namespace, pods, atOnce: AT_ONCE, pod });
        const trees = treesOf(bench, [launcher]);
        const { result, cost } = await measure(trees, () => launcher.call<Run>('run', { dagId }));
        await withClient(url, (sql) => verifyRuns(sql, result.firstRun, 1, { brief: true }));
        bare.values.push(perMinute(alone.ms));
        ours.values.push(perMinute(result.ms));
        ours.costs.push(cost);
        share.values.push(alone.ms / result.ms);
        bench.log(
          `B7 cluster, ${pods} Pods: bare ${(alone.ms / 1000).toFixed(1)} s (gone ${(alone.tidyMs / 1000).toFixed(1)}), ours ${(result.ms / 1000).toFixed(1)} s (gone ${(result.tidyMs / 1000).toFixed(1)}), share ${(alone.ms / result.ms).toFixed(2)}; others ${(cost.foreign * 100).toFixed(0)} %`,
        );
      }
    });
  } finally {
    await cluster.close();
  }
  return [ours, bare, share];
}

export const b7: Scenario = {
  id: 'B7',
  title: 'tasks that are Pods',
  async run(bench) {
    const launcher = await startSide('launcher', 'sides/launcher');
    try {
      const rows = await onStandIn(bench, launcher);
      if (process.env['KUBECONFIG']) return [...rows, ...(await onCluster(bench, launcher))];
      bench.log('B7: KUBECONFIG is not set, so nothing is measured on a cluster');
      return rows;
    } finally {
      await launcher.stop();
    }
  },
};

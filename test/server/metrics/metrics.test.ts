/** Figures for Prometheus. */
import { expect, it } from 'vitest';
import { deleteQueue, pauseQueue, setQueue } from '#db/queries/queues.ts';
import { noCounts } from '#server/brokers/broker-counts.ts';
import { createQueueReader } from '#server/queue-reader.ts';
import { startMetricsServer } from '#server/http/metrics-server.ts';
import { METRICS } from '#server/metrics/metric-list.ts';
import { createMetrics } from '#server/metrics/metrics.ts';
import { startFakeKube } from '../../helpers/fake-kube.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createLaunching } from '../../helpers/launching.ts';

const database = await createTestDatabase();
const COUNTERS = {
  ...{ watches: 1, relists: 1, syntheticDeletes: 0, restarts: 0, silences: 0, failedObjects: 0 },
  ...{ lastEventAt: null, lastSyncedAt: null },
};

it('tells every metric of the list, and those of the process', async () => {
  const text = await createMetrics().render();
  for (const [name, { type }] of Object.entries(METRICS)) expect(text).toContain(`# TYPE ${name} ${type}`);
  expect(text).toContain('process_cpu_seconds_total');
});

it('counts for each cluster by itself, and leaves out what is not known', async () => {
  const metrics = createMetrics({ ofProcess: false });
  const east = metrics.of('east');
  east.took('create', new Date(1000), new Date(3500));
  east.took('run', null, new Date(3500));
  // Clocks of others may be ahead
  east.took('schedule', new Date(2000), new Date(1000));
  metrics.of('west').requested('create', 'pods', 201, 0.02);
  const text = await metrics.render();
  expect(text).toContain('millrace_launch_create_seconds_sum{cluster="east"} 2.5\n');
  expect(text).toContain('millrace_launch_schedule_seconds_sum{cluster="east"} 0\n');
  expect(text).not.toContain('millrace_launch_run_seconds_count');
  expect(text).toContain(
    'millrace_kubernetes_requests_total{cluster="west",verb="create",resource="pods",status="201"} 1\n',
  );
});

it('tells how things stand when it is asked, and keeps what a watch counted when it is gone', async () => {
  const metrics = createMetrics({ ofProcess: false });
  const counters = { ...COUNTERS };
  const phases = ['waiting', 'waiting', 'started'] as const;
  const end = metrics.of('east').observe({ phases: () => phases, lineLength: () => 2, watches: () => [counters] });
  const text = await metrics.render();
  expect(text).toContain('millrace_launches{cluster="east",phase="waiting"} 2\n');
  expect(text).toContain('millrace_launch_line_length{cluster="east"} 2\n');
  expect(text).toContain('millrace_watch_relists_total{cluster="east"} 1\n');
  counters.relists = 3;
  end();
  counters.relists = 4;
  const after = await metrics.render();
  expect(after).toContain('millrace_watch_relists_total{cluster="east"} 3\n');
  expect(after).not.toContain('millrace_launches{');
});

it('are read over HTTP, and nothing else is', async () => {
  const onError = (error: unknown) => expect.unreachable(String(error));
  const server = await startMetricsServer(createMetrics(), { host: '127.0.0.1', port: 0, onError });
  const url = `http://127.0.0.1:${server.port}`;
  const answer = await fetch(`${url}/metrics`);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  expect(await answer.text()).toContain('nodejs_eventloop_lag');
  expect((await fetch(`${url}/graphql`)).status).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  await server.stop();
});

it('move with the launches of a run', async () => {
  const kube = await startFakeKube({ script: () => ({ log: ['hello'], runMs: 100 }), quotaPods: 1 });
  const launching = await createLaunching(database);
  await launching.addCluster('default', kube.credentials, { namespaces: ['tasks'] });
  await launching.launch();
  const pod = { kind: 'pod', image: 'any', command: ['true'] };
  const runId = await launching.start({
    dagId: 'measured',
    tasks: [
      { taskId: 'a', ...pod },
      { taskId: 'b', ...pod },
    ] as never,
  });
  await launching.ended(runId);
  await launching.tidy();
  const text = await launching.metrics.render();
  for (const step of ['create', 'schedule', 'start', 'run', 'first_log'])
    expect(text).toContain(`millrace_launch_${step}_seconds_count{cluster="default"} 2\n`);
  expect(text).toContain('millrace_launch_quota_wait_seconds_count{cluster="default"} 1\n');
  expect(text).toContain('millrace_launch_ends_total{cluster="default",outcome="success",cause="ok"} 2\n');
  expect(text).toContain('resource="pods",status="201"} 2\n');
  expect(text).toContain('millrace_watch_relists_total{cluster="default"} 1\n');
  expect(launching.errors).toEqual([]);
  await launching.stop();
  await kube.close();
});

it('tells what goes on in queues, which it reads every few seconds at most, and nothing of them while that fails', async () => {
  const { db } = database;
  await setQueue(db, { name: 'gpu' }, 'test');
  await pauseQueue(db, 'gpu', 'test');
  const metrics = createMetrics({ ofProcess: false });
  metrics.observeQueues(createQueueReader(db, 60_000));
  const text = await metrics.render();
  expect(text).toContain('millrace_queue_depth{queue="gpu"} 0\n');
  expect(text).toContain('millrace_queue_paused{queue="gpu"} 1\n');
  await deleteQueue(db, 'gpu', 'test');
  expect(await metrics.render()).toContain('millrace_queue_paused{queue="gpu"} 1\n');
  metrics.observeQueues(createQueueReader(db));
  expect(await metrics.render()).not.toContain('queue="gpu"');
  metrics.observeQueues(() => Promise.reject(new Error('no database')));
  expect(await metrics.render()).toContain('# TYPE millrace_queue_depth gauge');
});

it('counts what a broker has done, from one look to the next', async () => {
  const metrics = createMetrics({ ofProcess: false });
  const counts = { ...noCounts(), told: 3 };
  metrics.observeBroker({ isUp: () => false, counts });
  await metrics.render();
  counts.told = 5;
  counts.fallbacks = 1;
  const text = await metrics.render();
  expect(text).toContain('millrace_broker_up 0\n');
  expect(text).toContain('millrace_broker_told_total 5\n');
  expect(text).toContain('millrace_broker_fallback_claims_total 1\n');
});

it('counts logs that were moved, by store, and says how the store does', async () => {
  const metrics = createMetrics({ ofProcess: false });
  metrics.logs.archived('s3', 1000, 0.2);
  metrics.logs.archived('s3', 500, 0.02);
  metrics.logs.failed('s3');
  metrics.logs.deleted('s3', 3);
  metrics.retained('runs', 7);
  const health = { name: 's3', failingSince: new Date(), lastError: 'away', waiting: 12 };
  metrics.observeLogStore(async () => health);
  const text = await metrics.render();
  expect(text).toContain('millrace_logs_archived_total{store="s3"} 2\n');
  expect(text).toContain('millrace_logs_archived_bytes_total{store="s3"} 1500\n');
  expect(text).toContain('millrace_log_archive_seconds_bucket{le="0.1",store="s3"} 1\n');
  expect(text).toContain('millrace_log_archive_failures_total{store="s3"} 1\n');
  expect(text).toContain('millrace_logs_deleted_total{store="s3"} 3\n');
  expect(text).toContain('millrace_retention_deleted_total{what="runs"} 7\n');
  expect(text).toContain('millrace_logs_waiting{store="s3"} 12\n');
  expect(text).toContain('millrace_log_store_up{store="s3"} 0\n');
  metrics.observeLogStore(async () => undefined);
  expect(await metrics.render()).not.toContain('millrace_logs_waiting{');
});

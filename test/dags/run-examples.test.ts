import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensureWarehouse } from '#db/warehouse.ts';
import { createBundleCache } from '#server/bundles/bundle-cache.ts';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { createLogger } from '#server/log.ts';
import { createSupervisorClient, type SupervisorClient } from '#server/runner/supervisor-client.ts';
import { startScheduler } from '#server/scheduler/scheduler.ts';
import { startTriggerer } from '#server/triggerer/triggerer.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { startWorker, type Worker } from '#server/worker/worker.ts';
import type { Json } from '#sdk/protocol.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, runStateOf, statesOf, type TestEngine } from '../helpers/engine.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const WAREHOUSE = `examples_${process.pid}`;
const logs = new Map<string, string>();
let home: string;
let engine: TestEngine;
let listener: Listener;
let scheduler: { stop(): Promise<void> };
let triggerer: { stop(): Promise<void> };
let supervisor: SupervisorClient;
let worker: Worker;
afterEach(() => checkRuns(database));

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'millrace-run-'));
  engine = createTestEngine(database);
  listener = createListener(database.url);
  await listener.start();
  const fail = (error: unknown) => engine.errors.push(error);
  const log = createLogger({ level: 'error', format: 'text' });
  scheduler = startScheduler({ db: database.db, pool: database.pool, engine, listener, log, onError: fail });
  triggerer = await startTriggerer({
    db: database.db,
    pool: database.pool,
    engine,
    listener,
    log,
    vault: null,
    name: 'triggerer',
    version: 'test',
    onError: fail,
  });
  const cache = createBundleCache({
    dir: join(home, 'bundles'),
    fetch: async (hash) => {
      const { rows } = await database.pool.query<{ archive: Buffer }>('select archive from bundle where hash = $1', [
        hash,
      ]);
      return rows[0]!.archive;
    },
  });
  const environment = {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    MILLRACE_WAREHOUSE_URL: await ensureWarehouse(inject('postgresUrl'), WAREHOUSE),
  };
  worker = await startWorker({
    api: createDirectWorkerApi({
      db: database.db,
      engine,
      listener,
      appendLogs: (chunks) => {
        for (const { dispatchId, body } of chunks) logs.set(dispatchId, (logs.get(dispatchId) ?? '') + body);
        return Promise.resolve();
      },
    }),
    info: { name: 'examples', queues: ['default'], slots: 4, version: 'test', hostname: null, pid: null },
    supervise: (onEvent) =>
      (supervisor = createSupervisorClient({
        home,
        fetchBundleDir: (hash) => cache.dirOf(hash),
        environment,
        onEvent,
      })),
    onError: fail,
  });
});

afterAll(async () => {
  await worker.stop(1000);
  await supervisor.stop();
  await triggerer.stop();
  await scheduler.stop();
  await listener.stop();
  await engine.stop();
  rmSync(home, { recursive: true, force: true });
  const admin = new pg.Client({ connectionString: inject('postgresUrl') });
  await admin.connect();
  await admin.query(`drop database ${WAREHOUSE} with (force)`);
  await admin.query(`drop role ${WAREHOUSE}`);
  await admin.end();
});

async function runExample(file: string, conf: { [key: string]: Json } = {}) {
  const loaded = await loadDagFile(join(import.meta.dirname, '../../dags', file));
  const [dag] = loaded.dags;
  if (!dag) throw new Error(JSON.stringify(loaded.errors));
  // By hand only: the schedule would make runs of its own.
  const { dagId } = await deployDag(database.db, { ...dag, spec: { ...dag.spec, schedule: null }, actor: 'test' });
  const [created] = await engine.createRuns([{ dagId, kind: 'manual', conf, triggeredBy: 'test' }]);
  const { runId } = created!;
  const seen = async () => ({ run: await runStateOf(database, runId), tasks: await statesOf(database, runId) });
  await waitFor(async () => ['success', 'failed'].includes((await runStateOf(database, runId)) ?? ''), {
    timeoutMs: 60_000,
    what: `the run of ${file}`,
  }).catch(async (error: unknown) => {
    throw new Error(`${JSON.stringify(await seen())}\n${[...logs.values()].join('')}\n${engine.errors.join('\n')}`, {
      cause: error,
    });
  });
  const { rows } = await database.pool.query<{ task: string; try_number: number; outcome: string; cause: string }>(
    `select v.task_id as task, t.try_number, t.outcome, t.cause from task_try t join dag_run r on r.id = t.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index where t.run_id = $1`,
    [runId],
  );
  const triesOf = (task: string) =>
    rows
      .filter((row) => row.task === task)
      .map((row) => `${row.try_number} ${row.outcome} ${row.cause}`)
      .sort();
  return { ...(await seen()), triesOf };
}

test('etl_daily fills its warehouse', async () => {
  const { run, tasks } = await runExample('etl_daily.ts');
  expect(new Set(Object.values(tasks)), [...logs.values()].join('')).toEqual(new Set(['success']));
  expect(run).toBe('success');
  expect([...logs.values()].join('')).toMatch(/airport_months is complete: \{.*"flights":/);
}, 70_000);

test('sensors waits for a moment, a file and a function', async () => {
  const { run, tasks } = await runExample('sensors.ts');
  expect(new Set(Object.values(tasks)), [...logs.values()].join('')).toEqual(new Set(['success']));
  expect(run).toBe('success');
}, 70_000);

test('retry_and_rules shows every way to end', async () => {
  const { run, tasks, triesOf } = await runExample('retry_and_rules.ts');
  expect(tasks).toEqual({
    steady: 'success',
    flaky: 'success',
    too_slow: 'failed',
    hopeless: 'failed',
    nothing_new: 'skipped',
    quiet_day: 'skipped',
    never_runs: 'upstream_failed',
    alarm: 'success',
    first_result: 'success',
    joined: 'success',
    all_quiet: 'success',
    skipped_too: 'skipped',
    summary: 'success',
  });
  expect(run).toBe('success');
  expect(triesOf('flaky')).toEqual(['1 failed exception', '2 failed exception', '3 success ok']);
  expect(triesOf('hopeless')).toEqual(['1 failed exception']);
  expect(triesOf('too_slow')).toEqual(['1 failed timeout']);
}, 70_000);

test.runIf(spawnSync('python3', ['--version']).status === 0)(
  'ml_training deploys a good model and rejects a bad one',
  async () => {
    const folder = join(home, 'models');
    const good = await runExample('ml_training.yaml', { folder });
    expect(good.tasks, [...logs.values()].join('')).toMatchObject({
      approve: 'success',
      deploy: 'success',
      reject: 'skipped',
    });
    expect(good.run).toBe('success');
    const model = JSON.parse(readFileSync(join(folder, 'rain_tomorrow.json'), 'utf8')) as {
      scores: { accuracy: number };
    };
    expect(model.scores.accuracy).toBeGreaterThan(0.7);
    const bad = await runExample('ml_training.yaml', { folder, minAccuracy: 0.99 });
    expect(bad.tasks).toMatchObject({ approve: 'skipped', deploy: 'skipped', reject: 'success' });
    expect(bad.run).toBe('success');
  },
  70_000,
);

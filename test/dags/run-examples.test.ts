import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { deployDag } from '#db/queries/dag.ts';
import { ensureWarehouse } from '#db/warehouse.ts';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import type { Json } from '#sdk/protocol.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { startExampleService } from '../helpers/example-service.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const WAREHOUSE = `examples_${process.pid}`;
let service: Awaited<ReturnType<typeof startExampleService>>;
afterEach(() => checkRuns(database));

beforeAll(async () => {
  const MILLRACE_WAREHOUSE_URL = await ensureWarehouse(inject('postgresUrl'), WAREHOUSE);
  service = await startExampleService(database, { MILLRACE_WAREHOUSE_URL });
});

afterAll(async () => {
  await service.stop();
  const admin = new pg.Client({ connectionString: inject('postgresUrl') });
  await admin.connect();
  await admin.query(`drop database ${WAREHOUSE} with (force)`);
  await admin.query(`drop role ${WAREHOUSE}`);
  await admin.end();
});

async function runExample(file: string, conf: { [key: string]: Json } = {}) {
  const { dags, errors } = await loadDagFile(join(import.meta.dirname, '../../dags', file));
  if (!dags[0]) throw new Error(JSON.stringify(errors));
  return service.run(dags[0], conf);
}

test('etl_daily fills its warehouse', async () => {
  const { run, tasks } = await runExample('etl_daily.ts');
  expect(new Set(Object.values(tasks)), service.printed()).toEqual(new Set(['success']));
  expect(run).toBe('success');
  expect(service.printed()).toMatch(/airport_months is complete: \{.*"flights":/);
}, 70_000);

test('sensors waits for a moment, a file and a function', async () => {
  const { run, tasks } = await runExample('sensors.ts');
  expect(new Set(Object.values(tasks)), service.printed()).toEqual(new Set(['success']));
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
    const folder = join(service.home, 'models');
    const good = await runExample('ml_training.yaml', { folder });
    expect(good.tasks, service.printed()).toMatchObject({
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

test('branching goes the way that its size asks for', async () => {
  const few = await runExample('branching.ts');
  const sure = { count: 'success', anything: 'success', which_way: 'success', newest: 'success', mail: 'success' };
  expect(few.tasks, service.printed()).toEqual({
    ...{ ...sure, quick: 'success', 'bulk.split': 'skipped', 'bulk.load': 'skipped', joined: 'success' },
  });
  const many = await runExample('branching.ts', { orders: 5000 });
  expect(many.tasks, service.printed()).toEqual({
    ...{ ...sure, quick: 'skipped', 'bulk.split': 'success', 'bulk.load': 'success', joined: 'success' },
  });
  const none = await runExample('branching.ts', { orders: 0 });
  expect(none.tasks).toEqual({
    ...Object.fromEntries(Object.keys(few.tasks).map((task) => [task, 'skipped'])),
    ...{ count: 'success', anything: 'success' },
  });
  expect([few.run, many.run, none.run]).toEqual(['success', 'success', 'success']);
}, 70_000);

test('mapping measures each file and each region, and adds up', async () => {
  const { run, tasks } = await runExample('mapping.ts', { files: 3 });
  expect(tasks, service.printed()).toEqual(
    Object.fromEntries(
      ['list_files', 'measure[0]', 'measure[1]', 'measure[2]', 'totals', 'region.__map__', 'report']
        .concat([0, 1, 2].flatMap((copy) => [`region.fetch[${copy}]`, `region.clean[${copy}]`]))
        .map((task) => [task, 'success']),
    ),
  );
  expect(run).toBe('success');
  expect(service.printed()).toMatch(/2 files of even length, 8988 bytes/);
  expect(service.printed()).toMatch(/"eu","orders":199/);
  const empty = await runExample('mapping.ts', { files: 0 });
  expect(empty.tasks).toMatchObject({ measure: 'skipped', totals: 'success' });
  expect(empty.run).toBe('success');
}, 70_000);

test('setup_teardown leaves nothing behind, also when its work fails', async () => {
  const good = await runExample('setup_teardown.ts');
  expect(good.tasks, service.printed()).toEqual({
    ...{ make_scratch: 'success', fill: 'success', sum: 'success', remove_scratch: 'success', done: 'success' },
  });
  expect(good.run).toBe('success');
  const bad = await runExample('setup_teardown.ts', { fail: true });
  expect(bad.tasks, service.printed()).toEqual({
    ...{ make_scratch: 'success', fill: 'success', sum: 'failed', remove_scratch: 'success', done: 'upstream_failed' },
  });
  expect(bad.run).toBe('failed');
  const removed = [...service.printed().matchAll(/removed (\S+)/g)].map(([, folder]) => folder ?? '');
  expect(removed).toHaveLength(2);
  expect(removed.filter(existsSync)).toEqual([]);
}, 70_000);

test('daily_sales writes the day of its run', async () => {
  const { run, tasks } = await runExample('daily_sales.ts');
  expect(tasks, service.printed()).toEqual({ sales: 'success', write: 'success' });
  expect(run).toBe('success');
  expect(readFileSync('/tmp/millrace-example/sales/2026-02-03.json', 'utf8')).toMatch(/"day":"2026-02-03"/);
}, 70_000);

test('assets: what one DAG collects, the other reports on', async () => {
  const { dags } = await loadDagFile(join(import.meta.dirname, '../../dags/assets.ts'));
  const [collect, report] = [dags[0]!, dags[1]!];
  const { dagId } = await deployDag(database.db, { ...report, actor: 'test' });
  expect(await service.run(collect)).toMatchObject({ run: 'success', tasks: { collect: 'success' } });
  const runs = async () =>
    (await database.pool.query('select kind, state from dag_run where dag_id = $1', [dagId])).rows;
  await waitFor(async () => (await runs())[0]?.state === 'success', { timeoutMs: 60_000, what: 'the report' });
  expect(await runs()).toEqual([{ kind: 'asset', state: 'success' }]);
  expect(service.printed()).toContain('example/orders: 12 rows, by assets');
  expect(service.printed()).toMatch(/Orders: \d+$/m);
}, 70_000);

/** Sensors that wait for the update of an asset: the service looks, no worker takes part. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { recordAssetEvents } from '#db/queries/asset-events.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine } from '../helpers/engine.ts';
import { endOf, reach, resultsOf, specOf, startWaiting } from '../helpers/waiting.ts';

const database = await createTestDatabase();
const { db } = database;
const engine = createTestEngine(database);
let listener: Listener;
let waiting: Awaited<ReturnType<typeof startWaiting>>;
let dags = 0;

beforeAll(async () => {
  listener = createListener(database.url);
  await listener.start();
  waiting = await startWaiting(database, engine, listener);
  // Names the assets: nobody knows others
  await engine.deploy(specOf('maker', { make: { outlets: ['orders', 'prices'] } }));
});
afterEach(async () => {
  await checkRuns(database);
  expect([...waiting.errors, ...engine.errors]).toEqual([]);
});
afterAll(async () => {
  await waiting.stop();
  await listener.stop();
  await engine.stop();
});

async function run(tasks: Record<string, object>): Promise<number> {
  const { dagId } = await engine.deploy(specOf(`dag_${++dags}`, tasks));
  const [created] = await engine.createRuns([{ dagId, kind: 'manual', logicalDate: new Date('2021-05-05T00:00:00Z') }]);
  return created!.runId;
}
const tell = (asset: string, extra = {}) =>
  db
    .transaction()
    .execute((trx) => recordAssetEvents(trx, [{ asset, extra, by: { actor: 'test', idempotencyKey: null } }]));
/** Looks so seldom that only an event wakes it. */
const sensor = (asset: unknown, more: object = {}) => ({ kind: 'sensor', for: { asset }, pokeInterval: 3600, ...more });

describe('a sensor for an asset', () => {
  it('waits without a worker, is woken by an update, and gives what that said', async () => {
    const runId = await run({ wait: sensor('orders'), next: { upstream: ['wait'] } });
    await reach(database, runId, { wait: 'deferred', next: 'none' });
    await tell('orders', { rows: 3 });
    await reach(database, runId, { wait: 'success', next: 'success' });
    expect(await resultsOf(database, runId, 'wait')).toMatchObject({
      return_value: { asset: 'orders', extra: { rows: 3 }, dagId: null },
    });
  });

  it('is woken when a task of another DAG updates it', async () => {
    const runId = await run({ wait: sensor('orders') });
    await reach(database, runId, { wait: 'deferred' });
    await run({ make: { outlets: ['orders'] } });
    await reach(database, runId, { wait: 'success' });
    expect(await resultsOf(database, runId, 'wait')).toMatchObject({ return_value: { taskId: 'make', mapIndex: -1 } });
  });

  it('is not woken by another asset', async () => {
    const runId = await run({ wait: sensor('orders', { timeout: 1 }) });
    await reach(database, runId, { wait: 'deferred' });
    await tell('prices');
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'wait_timeout' });
  });

  it('does not count an update from before its run', async () => {
    await tell('orders');
    const runId = await run({ wait: sensor('orders', { timeout: 0.3, softFail: true }), next: { upstream: ['wait'] } });
    await reach(database, runId, { wait: 'skipped', next: 'skipped' });
  });

  it('counts one from before its run where since says so, and since may be a template', async () => {
    await tell('orders');
    const runId = await run({ wait: sensor({ name: 'orders', since: '{{ ds }}' }) });
    await reach(database, runId, { wait: 'success' });
  });

  it('fails at once when since is no time', async () => {
    const runId = await run({ wait: sensor({ name: 'orders', since: 'lately' }, { retries: 3 }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({
      try_number: 1,
      message: expect.stringContaining('ISO 8601'),
    });
  });
});

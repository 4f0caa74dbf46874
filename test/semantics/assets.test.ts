import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createListener } from '#db/listen.ts';
import { deleteDag, setDagPaused } from '#db/queries/dag.ts';
import { recordAssetEvents } from '#db/queries/asset-events.ts';
import { createLogger } from '#server/log.ts';
import { startAssetEvents } from '#server/scheduler/asset-events.ts';
import type { Json } from '#sdk/protocol.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createSemantics, type DeployedDag, type Script, type TaskInput } from '../helpers/semantics.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const { engine, deploy, start, work, given } = await createSemantics(database);
const listener = createListener(url);
await listener.start();
const log = createLogger({ level: 'warn', format: 'text' });
// Two, as two schedulers have them
const consumers = [1, 2].map(() => startAssetEvents({ db, engine, listener, log }));
await waitFor(async () => (await pool.query(`select from event_consumer where name = 'assets'`)).rowCount === 1, {
  what: 'the consumer to take its place',
});
afterAll(async () => {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await listener.stop();
});

let assets = 0;
/** A name of its own for each test. */
let a: string, b: string, c: string;
beforeEach(() => {
  assets++;
  [a, b, c] = [`a${assets}`, `b${assets}`, `c${assets}`];
});

const consumer = (
  expression: unknown,
  options: { [field: string]: unknown } = {},
  tasks?: { [id: string]: TaskInput },
) => deploy(tasks ?? { use: [] }, { schedule: { assets: expression }, ...options });
const producer = (outlets: string[], task: { [field: string]: unknown } = {}) => deploy({ make: { outlets, ...task } });

/** All that has happened so far has been handled. */
async function settled(): Promise<void> {
  const { rows } = await pool.query('select max(xid::text::bigint) as xid from event');
  await waitFor(
    async () => {
      const { rowCount } = await pool.query(
        `select from event_consumer where name = 'assets' and xid::text::bigint >= $1`,
        [rows[0].xid],
      );
      return rowCount === 1;
    },
    { what: 'the events to be handled' },
  );
}

async function produce(dag: DeployedDag, script?: Script): Promise<number> {
  const runId = await start(dag);
  await work(runId, script);
  await settled();
  return runId;
}

const tell = (asset: string, extra: { [key: string]: Json } = {}, idempotencyKey: string | null = null) =>
  db.transaction().execute((trx) => recordAssetEvents(trx, [{ asset, extra, by: { actor: 'test', idempotencyKey } }]));

interface RunOf {
  id: number;
  kind: string;
  state: string;
  logical_date: Date | null;
  conf: unknown;
  triggered_by: string;
  events: string[];
}

async function runsOf({ dagId }: DeployedDag): Promise<RunOf[]> {
  const { rows } = await pool.query<RunOf>(
    `select r.id, r.kind, r.state, r.logical_date, r.conf, r.triggered_by, coalesce((select array_agg(s.name order by e.id)
       from asset_run_event x join asset_event e on e.id = x.event_id join asset s on s.id = e.asset_id where x.run_id = r.id), '{}') as events
     from dag_run r where r.dag_id = $1 order by r.id`,
    [dagId],
  );
  return rows;
}
const eventsOf = async (dag: DeployedDag): Promise<string[][]> => (await runsOf(dag)).map((run) => run.events);

/** Works the only run of a DAG to its end. */
async function workRun(dag: DeployedDag) {
  await waitFor(async () => ['running', 'success'].includes((await runsOf(dag))[0]?.state ?? ''), {
    what: 'the run to start',
  });
  return work((await runsOf(dag))[0]!.id);
}

async function updatesOf(
  asset: string,
): Promise<{ extra: unknown; task_id: string | null; map_index: number | null }[]> {
  const { rows } = await pool.query(
    'select e.extra, e.task_id, e.map_index from asset_event e join asset s on s.id = e.asset_id where s.name = $1 order by e.map_index, e.id',
    [asset],
  );
  return rows;
}

describe('a task with outlets', () => {
  it('starts the DAG that waits for the asset, and that run succeeds', async () => {
    const dag = await consumer(a);
    await produce(await producer([a]));
    expect(await workRun(dag)).toEqual({ run: 'success', use: 'success' });
  });

  it('makes a run of kind asset, without a logical date and with an empty conf', async () => {
    const dag = await consumer(a);
    await produce(await producer([a]));
    expect(await runsOf(dag)).toMatchObject([
      { kind: 'asset', logical_date: null, conf: null, triggered_by: 'assets', events: [a] },
    ]);
  });

  it('updates all of its assets, each once', async () => {
    await produce(await producer([a, b, a]));
    expect([await updatesOf(a), await updatesOf(b)]).toEqual([
      [{ extra: {}, task_id: 'make', map_index: -1 }],
      [{ extra: {}, task_id: 'make', map_index: -1 }],
    ]);
  });

  it.each(['failed', 'skipped'] as const)('updates nothing when it has %s', async (state) => {
    const dag = await consumer(a);
    await produce(await producer([a]), { make: state });
    expect([await updatesOf(a), await runsOf(dag)]).toEqual([[], []]);
  });

  it('updates its asset once when a retry has succeeded', async () => {
    await produce(await producer([a], { retries: 1 }), { make: ['failed', 'success'] });
    expect(await updatesOf(a)).toHaveLength(1);
  });

  it('updates its asset in spite of what fails after it', async () => {
    const dag = await consumer(a);
    const failing = await deploy({ make: { outlets: [a] }, check: ['make'] });
    await produce(failing, { check: 'failed' });
    expect(await eventsOf(dag)).toEqual([[a]]);
  });

  it('updates its asset again when it has been cleared and has succeeded again', async () => {
    const dag = await producer([a]);
    const runId = await produce(dag);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['make'], actor: 'test' });
    await work(runId);
    await settled();
    expect(await updatesOf(a)).toHaveLength(2);
  });

  it('updates nothing when a person marks it as successful', async () => {
    const dag = await producer([a]);
    const runId = await produce(dag, { make: 'failed' });
    await engine.editTasks({ runId, action: 'success', taskIds: ['make'], actor: 'test' });
    await settled();
    expect(await updatesOf(a)).toEqual([]);
  });

  it('updates its asset once for each mapped instance', async () => {
    await produce(await producer([a], { map: { over: { n: [1, 2, 3] } } }));
    expect((await updatesOf(a)).map((event) => event.map_index)).toEqual([0, 1, 2]);
  });

  it('updates its asset also when it is empty', async () => {
    const dag = await consumer(a);
    await produce(await deploy({ make: { kind: 'empty', outlets: [a] } }));
    expect(await eventsOf(dag)).toEqual([[a]]);
  });

  it('says of each asset what its code said, and nothing of others', async () => {
    const xcoms = { 'millrace.assets': { [a]: { rows: 3 }, [c]: { rows: 9 } } };
    await produce(await producer([a, b]), { make: { xcoms } });
    expect([(await updatesOf(a))[0]?.extra, (await updatesOf(b))[0]?.extra]).toEqual([{ rows: 3 }, {}]);
  });
});

describe('a DAG that waits for assets', () => {
  it('waits for all of a list, each at least once since its last run', async () => {
    const dag = await consumer([a, b]);
    const [makeA, makeB] = [await producer([a]), await producer([b])];
    await produce(makeA);
    await produce(makeA);
    expect(await eventsOf(dag)).toEqual([]);
    await produce(makeB);
    expect(await eventsOf(dag)).toEqual([[a, a, b]]);
    await produce(makeB);
    expect(await eventsOf(dag)).toEqual([[a, a, b]]);
    await produce(makeA);
    expect(await eventsOf(dag)).toEqual([
      [a, a, b],
      [b, a],
    ]);
  });

  it('is content with any of a list', async () => {
    const dag = await consumer({ any: [a, b] });
    await produce(await producer([b]));
    await produce(await producer([a]));
    expect(await eventsOf(dag)).toEqual([[b], [a]]);
  });

  it('follows nested expressions', async () => {
    const dag = await consumer({ all: [a, { any: [b, c] }] });
    await produce(await producer([b]));
    expect(await eventsOf(dag)).toEqual([]);
    await produce(await producer([a]));
    expect(await eventsOf(dag)).toEqual([[b, a]]);
  });

  it('is one of many: each has its own run', async () => {
    const dags = [await consumer(a), await consumer({ any: [a, b] }), await consumer([a, b])];
    await produce(await producer([a]));
    expect(await Promise.all(dags.map(eventsOf))).toEqual([[[a]], [[a]], []]);
  });

  it('starts a chain: what it updates starts the next', async () => {
    const middle = await consumer(a, {}, { refine: { outlets: [b] } });
    const last = await consumer(b);
    await produce(await producer([a]));
    expect(await workRun(middle)).toEqual({ run: 'success', refine: 'success' });
    await settled();
    expect(await workRun(last)).toEqual({ run: 'success', use: 'success' });
  });

  it('collects nothing while it is paused', async () => {
    const dag = await consumer(a);
    await setDagPaused(db, dag.dagId, true, 'test');
    await produce(await producer([a]));
    await setDagPaused(db, dag.dagId, false, 'test');
    expect(await runsOf(dag)).toEqual([]);
    await produce(await producer([a]));
    expect(await eventsOf(dag)).toEqual([[a]]);
  });

  it('keeps what it has collected when it is deployed with the same assets, and forgets assets that it waits for no more', async () => {
    const dagId = `redeployed_${assets}`;
    await consumer([a, b], { dagId });
    await produce(await producer([a]));
    await consumer([a, b, c], { dagId });
    await tell(b);
    const dag = await consumer([a, c], { dagId });
    await tell(c);
    expect(await eventsOf(dag)).toEqual([[a, c]]);
  });

  it('may have a time schedule beside: both make runs', async () => {
    const dag = await deploy({ use: [] }, { schedule: { assets: a, or: '@daily' } });
    const { rows } = await pool.query('select next_run_at is not null as timed from dag where id = $1', [dag.dagId]);
    await produce(await producer([a]));
    expect([rows[0].timed, await eventsOf(dag)]).toEqual([true, [[a]]]);
  });

  it('starts no more runs than maxActiveRuns lets it', async () => {
    const dag = await consumer(a, { maxActiveRuns: 1 }, { use: { queue: 'nobody' } });
    await produce(await producer([a]));
    await waitFor(async () => (await runsOf(dag))[0]?.state === 'running', { what: 'the first run' });
    await produce(await producer([a]));
    expect((await runsOf(dag)).map((run) => run.state)).toEqual(['running', 'queued']);
  });

  it('can be deleted with its runs', async () => {
    const dag = await consumer(a);
    await produce(await producer([a]));
    await workRun(dag);
    expect(await deleteDag(db, dag.dagId, 'test')).toBe('deleted');
    await produce(await producer([a]));
    expect((await updatesOf(a)).length).toBe(2);
  });
});

describe('an update from outside', () => {
  it('starts the DAG that waits for the asset', async () => {
    const dag = await consumer(a);
    await tell(a, { file: 'x.csv' });
    expect(await workRun(dag)).toEqual({ run: 'success', use: 'success' });
  });

  it('counts once for each idempotency key', async () => {
    const dag = await consumer(a);
    for (const key of ['one', 'one', 'two']) await tell(a, {}, key);
    expect(await eventsOf(dag)).toEqual([[a], [a]]);
  });

  it('is nothing where no DAG knows the asset', async () => {
    expect(await tell(a)).toEqual([]);
  });

  it('meets another at the same time: together they make one run', async () => {
    const dag = await consumer([a, b, c]);
    await Promise.all([a, b, c].map((asset) => tell(asset)));
    const [events] = await eventsOf(dag);
    expect([...(events ?? [])].sort()).toEqual([a, b, c]);
  });
});

describe('what a run was made for', () => {
  it('is in the context of a task that asks for it', async () => {
    const command = 'echo {{ triggering_asset_events }}';
    const dag = await consumer(a, {}, { use: { command }, other: [] });
    await produce(await producer([a]), { make: { xcoms: { 'millrace.assets': { [a]: { rows: 3 } } } } });
    await workRun(dag);
    const source = { dagId: expect.any(String), taskId: 'make', runKey: expect.any(String), mapIndex: -1 };
    expect(given('use').run.assetEvents).toEqual([{ asset: a, at: expect.any(String), extra: { rows: 3 }, source }]);
    expect(given('other').run.assetEvents).toBeUndefined();
  });

  it('is in the context of code, and names no source where the update came from outside', async () => {
    const dag = await consumer(a, {}, { use: { kind: 'python', source: 'print(1)' } });
    await tell(a, { file: 'x' });
    await workRun(dag);
    expect(given('use').run.assetEvents).toEqual([
      { asset: a, at: expect.any(String), extra: { file: 'x' }, source: null },
    ]);
  });
});

describe('two schedulers', () => {
  it('tell of each success exactly once', async () => {
    const dag = await consumer({ any: [a, b] });
    const make = await producer([a, b], { map: { over: { n: Array.from({ length: 100 }, (_, n) => n) } } });
    await produce(make);
    await produce(make);
    expect([(await updatesOf(a)).length, (await updatesOf(b)).length]).toEqual([200, 200]);
    expect((await eventsOf(dag)).flat()).toHaveLength(400);
    await checkRuns(database, { runIds: (await runsOf(dag)).map((run) => run.id) });
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ensurePartitions, PARTITIONED } from '#db/queries/partitions.ts';
import { requestRetention, listRetentionRuns, withRetentionLock } from '#db/queries/retention-runs.ts';
import { setRetentionPolicies } from '#db/queries/retention-policy.ts';
import { readEventsEnd, formatEventCursor } from '#db/queries/events.ts';
import { readLogPage } from '#schema/read-log-page.ts';
import { planRetention } from '#schema/retention-plan.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import { createLogStores, ONLY_POSTGRES } from '#server/logs/log-stores.ts';
import { startRetention } from '#server/retention/retention-loop.ts';
import { runRetention, type Deleted } from '#server/retention/run-retention.ts';
import { createLogger } from '#server/log.ts';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf, work } from '../../helpers/engine.ts';
import { openSocket } from '../../helpers/socket.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const logs = createLogReader({ db, stores: createLogStores(ONLY_POSTGRES) });
const DAY = 86_400;
const NOTHING = {
  ...{ runs: null, logs: null, results: null, bundles: null },
  ...{ audit: null, asset_events: null, dag_events: null, jobs: null },
};
let app: TestApp;
let workerId: number;

beforeAll(async () => {
  app = await startTestApp(database);
  workerId = await app.engine.worker();
  // Runs of the test are born so many days ago
  await pool.query('create table test_birth (days int); insert into test_birth values (0)');
  await pool.query(`create or replace function next_run_id() returns bigint language sql volatile return
    ((extract(epoch from now())::bigint / 86400 - (select days from test_birth)) << 36) | nextval('run_number')`);
});
afterEach(() => pool.query('update dag set retention = null'));
afterAll(() => app.stop());

/** The partitions of the days so long ago, by the name of their span. */
async function partitionsOf(daysAgo: number): Promise<string> {
  const day = Math.floor(Date.now() / 86_400_000) - daysAgo;
  const start = day - ((day + 3) % 28);
  const name = new Date(start * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
  await pool.query(
    `create table if not exists task_instance_${name} partition of task_instance for values from (${BigInt(start) << 36n}) to (${BigInt(start + 28) << 36n})`,
  );
  await ensurePartitions(pool);
  return name;
}

/** Runs that ended so many days ago, all with a result and a log; the first is the oldest. */
async function endedRuns(dagId: string, daysAgo: number[], retention: object | null): Promise<number[]> {
  const spec = dagOf(dagId, { a: [], b: ['a'] }, { maxActiveRuns: 100, retention: retention as null });
  const deployed = await app.engine.deploy(spec);
  const runs: number[] = [];
  for (const days of daysAgo) {
    await partitionsOf(days);
    await pool.query('update test_birth set days = $1', [days]);
    const [run] = await app.engine.createRuns([{ dagId: deployed.dagId, kind: 'manual' }]);
    await work(app.engine, workerId, () => ({ outcome: 'success', xcoms: { return_value: days } }));
    await pool.query(`update dag_run set ended_at = now() - $2 * interval '1 day' where id = $1`, [run!.runId, days]);
    await pool.query(
      `insert into log_chunk (run_id, dispatch_id, byte_offset, body) select run_id, dispatch_id, 0, 'text' from task_try where run_id = $1`,
      [run!.runId],
    );
    await pool.query('update task_try set log_bytes = 4 where run_id = $1', [run!.runId]);
    runs.push(run!.runId);
  }
  await pool.query('update test_birth set days = 0');
  return runs;
}
const left = async (table: string, runs: number[], column = 'run_id') => {
  const { rows } = await pool.query<{ id: number }>(
    `select distinct ${column} as id from ${table} where ${column} = any($1) order by 1`,
    [runs],
  );
  return rows.map(({ id }) => runs.indexOf(id));
};
/** Without the partitions that went with it. */
async function run(): Promise<Deleted> {
  const { partitions: _dropped, ...deleted } = await runAll();
  return deleted;
}
async function runAll(): Promise<Deleted> {
  const deleted: Deleted = {};
  await runRetention({
    db,
    signal: new AbortController().signal,
    onDeleted: (what, count) => void (deleted[what] = (deleted[what] ?? 0) + count),
  });
  return deleted;
}

describe('what is kept for a time', () => {
  it('is nothing unless somebody says so', async () => {
    const runs = await endedRuns('kept', [900, 800], null);
    expect(await planRetention(db)).toEqual({ deletions: [], partitions: [] });
    expect(await run()).toEqual({});
    expect(await left('dag_run', runs, 'id')).toEqual([0, 1]);
  });

  it('goes with all that belongs to it, as was planned, and the newest runs stay', async () => {
    const runs = await endedRuns('short', [90, 80, 70, 60, 1], {
      runs: 30 * DAY,
      keepLast: 2,
      logs: null,
      results: null,
      logBytes: null,
    });
    const plan = await planRetention(db);
    expect(plan.deletions).toEqual([{ what: 'runs', dagId: 'short', seconds: 30 * DAY, count: 3 }]);
    expect(await run()).toEqual({ runs: 3 });
    for (const table of ['task_instance', 'task_try', 'xcom', 'log_chunk', 'event'])
      expect(await left(table, runs), table).toEqual([3, 4]);
    expect(await left('dag_run', runs, 'id')).toEqual([3, 4]);
    expect(await run()).toEqual({});
  });

  it('leaves what somebody needs: the newest success, what runs, and what is waited for', async () => {
    const runs = await endedRuns('needed', [99, 98, 97, 96], {
      runs: DAY,
      keepLast: 0,
      logs: null,
      results: null,
      logBytes: null,
    });
    const [awaited, cleared, , newest] = runs;
    await pool.query(`update dag_run set state = 'running', ended_at = null where id = $1`, [cleared]);
    await pool.query(
      `insert into trigger_wait (run_id, task_index, dispatch_id, kind, spec, due_at, watch_key) values ($1, 0, gen_random_uuid(), 'trigger_dag', '{}', now(), $2)`,
      [newest, `run:${awaited}`],
    );
    expect(await run()).toEqual({ runs: 1 });
    expect(await left('dag_run', runs, 'id')).toEqual([0, 1, 3]);
    await pool.query('delete from trigger_wait');
  });

  it('says of a log that is gone why, in the place of the log', async () => {
    const runs = await endedRuns('silent', [50, 1], {
      ...{ runs: 'forever', keepLast: 0, logs: 30 * DAY, results: null, logBytes: null },
    });
    const linesOf = async (runId: number | undefined) =>
      (
        await readLogPage(
          { db, logs },
          { runId: runId!, taskIndex: 0, mapIndex: -1 },
          { tryNumber: null, offset: 0, limit: 9 },
        )
      )?.lines.map(({ text }) => text);
    await pool.query(`update task_try set ended_at = ended_at - interval '1 h' where run_id = any($1)`, [runs]);
    await run();
    expect(await linesOf(runs[0])).toEqual(['[This log of 4 bytes was deleted by retention.]']);
    expect(await linesOf(runs[1])).toEqual(['text']);
    await pool.query('delete from log_chunk where run_id = $1', [runs[1]]);
    expect(await linesOf(runs[1])).toEqual(['[This log of 4 bytes never arrived, or is no longer kept.]']);
  });

  it('gives up logs and results before the runs, once, also those of a run that was slow', async () => {
    const runs = await endedRuns('parts', [50, 40, 30, 1], {
      runs: 'forever',
      keepLast: 0,
      logs: 20 * DAY,
      results: 35 * DAY,
      logBytes: null,
    });
    await pool.query(`update dag_run set state = 'running', ended_at = null where id = $1`, [runs[1]]);
    expect(await run()).toEqual({ 'runs without logs': 2, 'runs without results': 1 });
    expect(await left('log_chunk', runs)).toEqual([1, 3]);
    expect(await left('xcom', runs)).toEqual([1, 2, 3]);
    expect(await left('dag_run', runs, 'id')).toEqual([0, 1, 2, 3]);
    await pool.query(`update dag_run set state = 'success', ended_at = now() - interval '40 days' where id = $1`, [
      runs[1],
    ]);
    await run();
    expect(await left('log_chunk', runs)).toEqual([3]);
    expect((await planRetention(db)).deletions).toEqual([]);
  });

  it('gives up the oldest logs where all together are too large', async () => {
    const MIB = 2 ** 20;
    const runs = await endedRuns('large', [3, 2, 1], {
      runs: null,
      keepLast: 0,
      logs: null,
      results: null,
      logBytes: 2 * MIB,
    });
    await pool.query('update task_try set log_bytes = $2 where run_id = any($1)', [runs, MIB / 2]);
    expect(await run()).toEqual({ 'runs without logs': 1 });
    expect(await left('log_chunk', runs)).toEqual([1, 2]);
    expect(await run()).toEqual({});
  });

  it('has archived logs deleted in their store', async () => {
    const runs = await endedRuns('archived', [90, 1], {
      runs: DAY,
      keepLast: 0,
      logs: null,
      results: null,
      logBytes: null,
    });
    await pool.query(
      `insert into log_archive (run_id, dispatch_id, bytes, lines, stored_bytes, store, key, blocks)
       select run_id, dispatch_id, 4, 1, 4, 's3', 'of ' || task_index, '[]' from task_try where run_id = $1`,
      [runs[0]],
    );
    await run();
    const { rows } = await pool.query('select store, key from log_trash order by key');
    expect(rows).toEqual([
      { store: 's3', key: 'of 0' },
      { store: 's3', key: 'of 1' },
    ]);
  });

  it('of the service: audit, versions and code that nothing uses', async () => {
    await pool.query(
      `insert into audit_event (at, actor, action, object) values (now() - interval '10 days', 'a', 'b', 'old'), (now(), 'a', 'b', 'new')`,
    );
    await pool.query(
      `insert into bundle (hash, archive, size, created_at) values ('unused', '', 0, now() - interval '10 days'), ('fresh', '', 0, now())`,
    );
    await app.engine.deploy(dagOf('versions', { a: [] }));
    await app.engine.deploy(dagOf('versions', { a: [], b: [] }));
    await pool.query(
      `update dag_version set created_at = now() - interval '10 days' where dag_id = (select id from dag where name = 'versions')`,
    );
    await setRetentionPolicies(db, { ...NOTHING, audit: 5 * DAY, bundles: 5 * DAY });
    expect(await run()).toMatchObject({ audit: 1, bundles: 2 });
    await setRetentionPolicies(db, NOTHING);
    expect((await pool.query('select hash from bundle')).rows).toEqual([{ hash: 'fresh' }]);
    const { rows } = await pool.query(
      `select number from dag_version where dag_id = (select id from dag where name = 'versions')`,
    );
    expect(rows).toEqual([{ number: 2 }]);
  });
});

describe('a span of days of which nothing is left', () => {
  it('is dropped whole, and whoever had read up to there is told to read anew', { timeout: 60_000 }, async () => {
    const { dagId } = await app.engine.deploy(
      dagOf('ancient', { a: [] }, { retention: { runs: DAY, keepLast: 0, logs: null, results: null, logBytes: null } }),
    );
    const name = await partitionsOf(200);
    const day = Math.floor(Date.now() / 86_400_000) - 200;
    const id = (BigInt(day) << 36n) + 5n;
    await pool.query(
      `insert into dag_run (id, dag_id, version_id, state, kind, remaining, max_active_tasks, run_key, ended_at)
       select $1, d.id, d.version_id, 'failed', 'manual', 0, 1, 'ancient', now() - interval '200 days' from dag d where d.id = $2`,
      [id, dagId],
    );
    await pool.query(`insert into event (run_id, run_seq, body) values ($1, 1, '{}')`, [id]);
    const cursor = formatEventCursor(await readEventsEnd(db));
    expect(cursor).toContain(String(id));
    expect((await planRetention(db)).partitions.map((span) => span.name)).toContain(name);
    expect(await runAll()).toMatchObject({ runs: 1, partitions: 1 });
    const { rows } = await pool.query('select relname from pg_class where relname = any($1)', [
      Object.keys(PARTITIONED).map((table) => `${table}_${name}`),
    ]);
    expect(rows).toEqual([]);
    const socket = openSocket(app.url(), { token: await app.token('viewer') });
    const events = socket.subscribe<{ kind: string }>(
      'subscription($after: String) { events(after: $after) { kind } }',
      { after: cursor },
    );
    expect(JSON.stringify(await events.take(1))).toMatch(/resync/i);
    await socket.stop();
  });
});

describe('somebody who asks', () => {
  it('has it done once, sees what was deleted, and finds it in the audit', async () => {
    const token = await app.token('admin');
    const runs = await endedRuns('asked', [90, 1], {
      runs: DAY,
      keepLast: 0,
      logs: null,
      results: null,
      logBytes: null,
    });
    const START = `mutation { startRetention { __typename ... on Error { message } ... on MutationStartRetentionSuccess { data { state requestedBy } } } }`;
    expect((await app.graphql(START, {}, await app.token('editor'))).errors).toBeDefined();
    expect((await app.graphql(START, {}, token)).data.startRetention.data).toEqual({
      state: 'REQUESTED',
      requestedBy: 'token admin',
    });
    expect((await app.graphql(START, {}, token)).data.startRetention.message).toContain('already');
    const errors: unknown[] = [];
    const loops = await Promise.all(
      [1, 2].map(() =>
        startRetention({
          ...{ db, pool, listener: app.listener, policies: NOTHING },
          log: createLogger({ level: 'error', format: 'json' }),
          onError: (error) => errors.push(error),
        }),
      ),
    );
    await waitFor(async () => (await listRetentionRuns(db, 1))[0]?.state === 'completed', {
      what: 'the deletion to end',
    });
    await Promise.all(loops.map((loop) => loop.stop()));
    expect(errors).toEqual([]);
    const { data } = await app.graphql('{ retentionRuns { state deleted } }', {}, token);
    expect(data.retentionRuns).toEqual([{ state: 'COMPLETED', deleted: expect.objectContaining({ runs: 1 }) }]);
    expect(await left('dag_run', runs, 'id')).toEqual([1]);
    const { rows } = await pool.query(`select action from audit_event where action like 'retention%' order by id`);
    expect(rows.map(({ action }) => action)).toEqual(['retention.request', 'retention.delete']);
  });

  it('is not served by two at once', async () => {
    let inside = 0;
    const work = async () => {
      inside += 1;
      await sleep(100);
    };
    const got = await Promise.all([withRetentionLock(pool, work), withRetentionLock(pool, work)]);
    expect([got.filter(Boolean).length, inside]).toEqual([1, 1]);
    expect(await requestRetention(db, 'ada')).not.toBeNull();
  });
});

/** A deployment that is well, and one with each fault that the doctor knows. The faults are real ones. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDoctor } from '#server/doctor/doctor.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import { createLogStores, ONLY_POSTGRES } from '#server/logs/log-stores.ts';
import { startProcessBeat } from '#server/process-beat.ts';
import type { Finding } from '#schema/doctor.ts';
import { ensurePartitions, spanOf } from '#db/queries/partitions.ts';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, work, type TestEngine } from '../../helpers/engine.ts';

const VERSION = '0.3.1';
let database: TestDatabase;
let engine: TestEngine;
let workerId: number;
let logs: ReturnType<typeof createLogReader>;

beforeAll(async () => {
  database = await createTestDatabase();
  engine = createTestEngine(database);
  afterAll(() => engine.stop());
  const { db, pool } = database;
  logs = createLogReader({ db, stores: createLogStores(ONLY_POSTGRES) });
  await pool.query(`update schema_migration set release = null`);
  for (const role of ['server', 'scheduler'] as const) {
    const onError = (error: unknown) => void engine.errors.push(error);
    const beat = await startProcessBeat({ db, role, version: VERSION, connections: 5, onError });
    afterAll(() => beat.stop());
  }
  workerId = await engine.worker('worker-1');
  const { dagId } = await engine.deploy(dagOf('well', { a: [], b: ['a'] }));
  await engine.createRuns([{ dagId, kind: 'manual' }]);
  await work(engine, workerId);
});

/** What it finds, by check; checks that find nothing are left out. */
async function examine(runId: number | null = null, version = VERSION): Promise<{ [check: string]: Finding[] }> {
  const results = await createDoctor({ ...database, logs, version })({ runId });
  return Object.fromEntries(results.flatMap(({ name, findings }) => (findings.length > 0 ? [[name, findings]] : [])));
}

/** The server of all tests gives up durability for speed. */
const KNOWN = new Set(['database']);
async function findings(check: string): Promise<Finding[]> {
  const all = await examine();
  expect(Object.keys(all).filter((name) => name !== check && !KNOWN.has(name))).toEqual([]);
  return all[check] ?? [];
}

const undo = (sql: string, values: unknown[] = []) =>
  onTestFinished(async () => void (await database.pool.query(sql, values)));

async function startedRun(): Promise<number> {
  const { dagId } = await engine.deploy(dagOf('stuck', { a: { queue: 'default' } }));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  onTestFinished(async () => void (await engine.cancelRun(run!.runId, 'test')));
  return run!.runId;
}

describe('a deployment', () => {
  it('that is well gives it nothing to say', async () => {
    expect(await findings('none')).toEqual([]);
  });

  it('whose database may lose what it acknowledged', async () => {
    expect((await examine())['database']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ severity: 'error', what: expect.stringMatching(/^fsync is off/) }),
      ]),
    );
  });

  it('without a scheduler', async () => {
    await database.pool.query(
      `update service_process set last_beat_at = now() - interval '100 s' where role = 'scheduler'`,
    );
    undo(`update service_process set last_beat_at = now()`);
    expect(await findings('processes')).toMatchObject([
      { severity: 'error', where: 'scheduler', advice: expect.stringContaining('millrace scheduler') },
      { severity: 'warning', where: expect.stringMatching(/^scheduler on .* \(pid \d+\)$/) },
    ]);
  });

  it('with processes of other releases', async () => {
    await database.pool.query(`update worker set version = '0.4.0' where id = $1`, [workerId]);
    undo(`update worker set version = 'test'`);
    expect(await findings('releases')).toMatchObject([{ severity: 'info', where: 'worker worker-1' }]);
    await database.pool.query(`update worker set version = '0.5.0' where id = $1`, [workerId]);
    expect(await findings('releases')).toMatchObject([{ severity: 'error', what: expect.stringContaining('0.5.0') }]);
  });

  it('on a schema that is not its own', async () => {
    await database.pool.query(`insert into schema_migration (name, release) values ('9999_later.sql', '0.9.0')`);
    undo(`delete from schema_migration where name = '9999_later.sql'`);
    expect(await findings('schema')).toMatchObject([{ severity: 'error', what: expect.stringContaining('0.9.0') }]);
  });

  it('with a clock that is wrong', async () => {
    await database.pool.query(`update service_process set clock_ms = -4500 where role = 'server'`);
    undo(`update service_process set clock_ms = 0`);
    expect(await findings('clocks')).toMatchObject([
      {
        severity: 'warning',
        what: 'Its clock is 4.5 s behind the database’s.',
        where: expect.stringMatching(/^server on/),
      },
    ]);
  });

  it('whose processes may open more connections than there are', async () => {
    await database.pool.query(`update service_process set connections = 1000 where role = 'server'`);
    undo(`update service_process set connections = 5`);
    expect(await findings('connections')).toMatchObject([
      { severity: 'error', what: expect.stringContaining('1005 connections') },
    ]);
  });

  it('in which somebody keeps a transaction open', async () => {
    const client = new pg.Client({ connectionString: database.url, application_name: 'a report' });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('begin; select 1');
    const results = await createDoctor({ ...database, logs, version: VERSION, longTransactionSeconds: 0 })({
      runId: null,
    });
    expect(results.find(({ name }) => name === 'transactions')?.findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ severity: 'warning', where: expect.stringMatching(/^a report, pid \d+$/) }),
      ]),
    );
  });

  it('without a place for the runs of the next weeks', async () => {
    const table = `log_chunk_${spanOf(new Date(), 1).name}`;
    await database.pool.query(`alter table log_chunk detach partition ${table}`);
    onTestFinished(async () => {
      await database.pool.query(`drop table ${table}`);
      await ensurePartitions(database.pool);
    });
    expect(await findings('partitions')).toMatchObject([{ severity: 'warning', what: expect.stringContaining(table) }]);
  });
});

describe('work', () => {
  it('that nobody serves', async () => {
    const { dagId } = await engine.deploy(dagOf('lonely', { a: { queue: 'gpu' } }));
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    onTestFinished(async () => void (await engine.cancelRun(run!.runId, 'test')));
    expect(await findings('queues')).toMatchObject([
      {
        severity: 'error',
        where: 'queue gpu',
        what: '1 task waits, and nobody serves it.',
        advice: expect.stringContaining('--queues gpu'),
      },
    ]);
  });

  it('whose deadline nobody keeps', async () => {
    const runId = await startedRun();
    await engine.claim({ workerId, queues: ['default'], limit: 1 });
    await database.pool.query(`update task_instance set deadline_at = now() - interval '50 s' where run_id = $1`, [
      runId,
    ]);
    expect(await findings('deadlines')).toMatchObject([
      {
        severity: 'error',
        where: `run ${runId}, task 0`,
        what: expect.stringMatching(/^1 task instances are running .* 5\d s ago/),
      },
    ]);
  });

  it('whose reader is stuck at an event', async () => {
    await database.pool.query(
      `insert into event_consumer (name, xid, run_id, run_seq, failures, last_error) values ('stuck', '1', 0, 0, 5, 'no such column')`,
    );
    undo(`delete from event_consumer where name = 'stuck'`);
    expect(await findings('consumers')).toMatchObject([
      { what: expect.stringContaining('5 times'), where: 'event consumer stuck' },
    ]);
  });

  it('whose source is broken', async () => {
    await database.pool.query(
      `insert into import_error (source, path, message) values ('folder:/dags', 'x.ts', 'unexpected token')`,
    );
    undo(`delete from import_error`);
    expect(await findings('sources')).toMatchObject([
      { severity: 'warning', where: 'folder:/dags, x.ts', what: 'unexpected token' },
    ]);
  });
});

describe('logs', () => {
  const store = async (columns: string, values: string) => {
    await database.pool.query(
      `insert into log_store (name, archive_from, current ${columns}) values ('s3', 0, true ${values})`,
    );
    undo(`delete from log_store`);
  };
  const due = async (late: string) => {
    await database.pool.query(
      `insert into log_due (run_id, dispatch_id, task_index, map_index, look_at)
       select run_id, dispatch_id, task_index, map_index, now() - $1::interval from task_try limit 1`,
      [late],
    );
    undo(`delete from log_due`);
  };

  it('that their store does not take', async () => {
    await store(', failing_since, last_error', `, '2026-01-02T03:04:05Z', 'The bucket cannot be used.'`);
    await due('1 h');
    expect(await findings('logs')).toMatchObject([
      {
        severity: 'error',
        where: 'log store s3',
        what: 'Since 2026-01-02T03:04:05.000Z it takes no logs; 1 wait. The bucket cannot be used.',
      },
    ]);
  });

  it('that nobody moves', async () => {
    await store('', '');
    await due('5 s');
    expect(await findings('logs')).toEqual([]);
    await database.pool.query(`update log_due set look_at = now() - interval '1 h'`);
    expect(await findings('logs')).toMatchObject([
      { severity: 'warning', what: expect.stringMatching(/^1 logs wait, the first for 36\d\d s longer/) },
    ]);
  });

  it('in a store that this server was not told of', async () => {
    await database.pool.query(
      `insert into log_archive (run_id, dispatch_id, bytes, lines, stored_bytes, store, key, blocks)
       select run_id, dispatch_id, 9, 1, 9, 's3', 's3://logs/a', '[[0, 9, 1, 9]]' from task_try limit 1`,
    );
    undo(`delete from log_archive`);
    expect(await findings('logs')).toMatchObject([
      {
        severity: 'error',
        where: 'log store s3',
        what: expect.stringContaining('set MILLRACE_LOG_S3_BUCKET as it was'),
      },
    ]);
  });
});

describe('the events of a run', () => {
  it('that do not explain its rows are shown with what happened around', async () => {
    const runId = await startedRun();
    await work(engine, workerId);
    await database.pool.query(`update task_instance set state = 'failed' where run_id = $1`, [runId]);
    undo(`update task_instance set state = 'success' where run_id = ${runId}`);
    const [first] = await findings('events');
    expect(first).toMatchObject({ severity: 'error', where: `run ${runId}` });
    expect(first?.what).toMatch(/task 0 is failed#1, its events say success#1\n[^]*1: run/);
    expect((await examine(runId))['events']?.[0]?.what).toBe(first?.what);
  });

  it('can be asked for by the run', async () => {
    const { rows } = await database.pool.query<{ id: number }>(`select id from dag_run order by id limit 1`);
    expect(await examine(rows[0]!.id)).toEqual({
      events: [
        expect.objectContaining({
          severity: 'info',
          what: expect.stringMatching(/^Its \d+ events explain its 2 task/),
        }),
      ],
    });
    expect((await examine(1))['events']).toMatchObject([{ severity: 'error', what: 'There is no such run.' }]);
  });
});

it('says what it could not look at, and looks at the rest', async () => {
  await database.pool.query('alter table import_error rename to import_error_away');
  undo('alter table import_error_away rename to import_error');
  expect(await findings('sources')).toMatchObject([
    { severity: 'error', what: expect.stringContaining('could not be looked at: relation') },
  ]);
});

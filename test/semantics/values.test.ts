import { afterAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, TEST_VAULT, work } from '../helpers/engine.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
afterAll(() => engine.stop());

const setVariable = (key: string, value: string, secret = false) =>
  pool.query(
    `insert into variable (key, value, sealed, updated_by) values ($1, $2, $3, 'test')
     on conflict (key) do update set value = excluded.value, sealed = excluded.sealed`,
    [key, secret ? null : value, secret ? TEST_VAULT.seal(value, `variable:${key}`) : null],
  );

let runs = 0;
/** What a worker gets for the one task of a DAG. */
async function dispatchOf(task: Parameters<typeof dagOf>[1][string]) {
  const { dagId } = await engine.deploy(dagOf(`values_${++runs}`, { t: task }));
  await engine.createRuns([{ dagId, kind: 'manual' }]);
  const workerId = await engine.worker();
  const [dispatch] = await engine.claim({ workerId, queues: ['default'], limit: 1 });
  await engine.report({
    workerId,
    reports: [{ dispatchId: dispatch!.dispatchId, outcome: 'success', cause: 'ok', logBytes: 0 }],
  });
  return dispatch!;
}

describe('a dispatch', () => {
  it('carries the variables that the templates of its task name, and no others', async () => {
    await setVariable('region', 'eu');
    await setVariable('limits', '{"rows": 5}');
    await setVariable('other', 'x');
    const { variables, secrets } = await dispatchOf({
      command: `echo {{ var.value.region }} {{ var.json['limits'].rows }} {{ var.value.get("absent", 1) }}`,
    });
    expect(variables).toEqual({ region: 'eu', limits: '{"rows": 5}' });
    expect(secrets).toEqual([]);
  });

  it('carries secret ones opened, and says that they are secret', async () => {
    await setVariable('api_token', 'geheim-1', true);
    const { variables, secrets } = await dispatchOf({ variables: ['api_token'] });
    expect({ variables, secrets }).toEqual({ variables: { api_token: 'geheim-1' }, secrets: ['geheim-1'] });
  });

  it('carries connections with their password and their secret settings', async () => {
    const sealed = TEST_VAULT.seal(JSON.stringify({ password: 'pw-1234', extra: { key: 'k-9876' } }), 'connection:db');
    await pool.query(
      `insert into connection (id, kind, host, port, login, extra, sealed, updated_by)
       values ('db', 'postgres', 'h', 5432, 'me', '{"sslmode": "require"}', $1, 'test')`,
      [sealed],
    );
    const { connections, secrets } = await dispatchOf({ command: `psql {{ conn.db.host }}` });
    expect(connections).toEqual({
      db: {
        id: 'db',
        kind: 'postgres',
        host: 'h',
        port: 5432,
        schema: null,
        login: 'me',
        password: 'pw-1234',
        extra: { sslmode: 'require', key: 'k-9876' },
      },
    });
    expect(secrets).toEqual(['pw-1234', 'me:pw-1234', 'k-9876']);
  });

  it('of a task that names none asks the database for none', async () => {
    const { variables, connections } = await dispatchOf({ command: 'echo plain' });
    expect({ variables, connections }).toEqual({ variables: {}, connections: {} });
  });

  it('says why a secret could not be opened, and the others of its claim are none the worse', async () => {
    await setVariable('broken', 'geheim-2', true);
    await pool.query(`update variable set sealed = '\\x0102' where key = 'broken'`);
    const { variables, unreadable } = await dispatchOf({ variables: ['broken', 'region'] });
    expect(variables).toEqual({ region: 'eu' });
    expect(unreadable).toEqual({ 'variable broken': expect.stringContaining('cannot be read') as string });
  });
});

describe('the newest success before a run', () => {
  it('is told to a task whose templates ask for it, and to no other', async () => {
    const { dagId } = await engine.deploy(
      dagOf('follows', { asks: { command: 'echo {{ prev_data_interval_end_success }}' }, silent: [] }),
    );
    const day = (n: number) => new Date(Date.UTC(2026, 0, n));
    const run = (n: number) => ({
      dagId,
      kind: 'manual' as const,
      logicalDate: day(n),
      intervalStart: day(n),
      intervalEnd: day(n + 1),
    });
    const workerId = await engine.worker();
    const seen: { [task: string]: unknown } = {};
    for (const n of [1, 3, 2]) {
      await engine.createRuns([run(n)]);
      await work(engine, workerId, (dispatch) => {
        seen[`${dispatch.taskId} ${n}`] = dispatch.previousSuccess?.dataIntervalEnd ?? null;
        return n === 3 ? 'failed' : 'success';
      });
    }
    await engine.createRuns([run(5)]);
    await work(engine, workerId, (dispatch) => {
      seen[`${dispatch.taskId} 5`] = dispatch.previousSuccess?.dataIntervalEnd ?? null;
      return 'success';
    });
    expect(seen).toMatchObject({
      'asks 1': null,
      'asks 3': day(2).toISOString(),
      'asks 2': day(2).toISOString(),
      'asks 5': day(3).toISOString(),
      'silent 5': null,
    });
  });
});

describe('what the templates of a try came to', () => {
  it('is kept for each try, and none for a task without templates', async () => {
    const { dagId } = await engine.deploy(dagOf('kept', { t: { command: 'echo {{ ds }}', retries: 1 }, plain: [] }));
    const [created] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    const workerId = await engine.worker();
    await work(engine, workerId, (dispatch) => {
      if (dispatch.taskId === 'plain') return 'success';
      const rendered = { command: `echo try ${dispatch.tryNumber}` };
      return { outcome: dispatch.tryNumber === 1 ? 'failed' : 'success', rendered };
    });
    await engine.wakeTasks([{ runId: created!.runId, taskIndex: 0, mapIndex: -1 }]);
    await work(engine, workerId, (dispatch) => ({ rendered: { command: `echo try ${dispatch.tryNumber}` } }));
    const { rows } = await pool.query(
      `select y.task_index, y.try_number, r.fields from task_try y
       left join task_rendered r on r.run_id = y.run_id and r.dispatch_id = y.dispatch_id
       where y.run_id = $1 order by y.task_index, y.try_number`,
      [created!.runId],
    );
    expect(rows).toEqual([
      { task_index: 0, try_number: 1, fields: { command: 'echo try 1' } },
      { task_index: 0, try_number: 2, fields: { command: 'echo try 2' } },
      { task_index: 1, try_number: 1, fields: null },
    ]);
    expect(engine.errors).toEqual([]);
  });
});

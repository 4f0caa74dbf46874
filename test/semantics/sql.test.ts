import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlTaskSpec } from '#sdk/dag-spec.ts';
import type { SqlLoad } from '#sdk/operator-spec.ts';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';
import { freePort } from '../helpers/service.ts';
import { startRunner, type DispatchExtras } from '../helpers/runner.ts';
import { waitFor } from '../helpers/wait-for.ts';

const LOAD: SqlLoad = {
  file: null,
  input: null,
  table: 'target',
  format: 'csv',
  columns: null,
  delimiter: ',',
  nullText: '',
};

describe('an sql task', () => {
  let database: TestDatabase;
  let runner: ReturnType<typeof startRunner>;
  let connections: { [id: string]: ConnectionValue };
  beforeAll(async () => {
    database = await createTestDatabase();
    runner = startRunner();
    const url = new URL(database.url);
    connections = {
      db: {
        id: 'db',
        kind: 'postgres',
        host: url.searchParams.get('host') ?? url.hostname,
        port: Number(url.port),
        schema: url.pathname.slice(1),
        login: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
        extra: {},
      },
    };
    await database.pool.query(
      `create table target (id bigint, name text, amount numeric, at timestamptz, extra jsonb)`,
    );
    await database.pool.query(`create table spare (n int)`);
  });
  afterAll(() => runner.stop());

  const run = (task: Partial<SqlTaskSpec>, extras: DispatchExtras = {}) =>
    runner.run({ kind: 'sql', connection: 'db', ...task }, { connections, ...extras });
  const resultOf = async (finished: ReturnType<typeof run>): Promise<{ [key: string]: Json }> => {
    const { report, lines } = await finished;
    expect(report, lines.join('\n')).toMatchObject({ outcome: 'success', cause: 'ok' });
    return report.xcoms ?? {};
  };
  const rowsOf = async <T>(text: string) => (await database.pool.query(text)).rows as T[];
  const loaded = async (load: Partial<SqlLoad>, extras?: DispatchExtras, more: Partial<SqlTaskSpec> = {}) => {
    const results = await resultOf(run({ sql: ['truncate target'], load: { ...LOAD, ...load }, ...more }, extras));
    expect(results).toEqual({ return_value: results['row_count'], row_count: results['row_count'] });
    return rowsOf(`select id::text, name, amount::text, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as at,
      extra::text from target order by id`);
  };

  it('has the rows of its last statement as its result, and their number', async () => {
    expect(
      await resultOf(
        run({ sql: ['create temp table t (a int)', `select 1 as one, 'x' as x union all select 2, 'y'`] }),
      ),
    ).toEqual({
      return_value: [
        { one: 1, x: 'x' },
        { one: 2, x: 'y' },
      ],
      row_count: 2,
    });
  });

  it('keeps numerics, bigints and times to the digit, as text', async () => {
    const sql = `select 12345678901234567890.100000000000000000001::numeric as exact, 9223372036854775807::bigint as big,
      timestamptz '2026-01-02 03:04:05.123456+02' as at, date '0044-03-15' as day, interval '1 day 2 s' as span, null::int as nothing`;
    expect(await resultOf(run({ sql: [sql], result: 'row' }))).toMatchObject({
      return_value: {
        exact: '12345678901234567890.100000000000000000001',
        big: '9223372036854775807',
        at: '2026-01-02 01:04:05.123456+00',
        day: '0044-03-15',
        span: '1 day 00:00:02',
        nothing: null,
      },
    });
  });

  it('gives numbers, booleans, JSON and lists as what they are', async () => {
    const sql = `select 1::int2 as small, 1.5::float8 as real, 'NaN'::float8 as nan, true as yes, '{"a":[1,null]}'::jsonb as doc,
      array[1,2]::int[] as list, array['a,b',null] as texts, array[1.50]::numeric[] as exact, array[array[true],array[false]] as deep`;
    expect((await resultOf(run({ sql: [sql], result: 'row' })))['return_value']).toEqual({
      small: 1,
      real: 1.5,
      nan: 'NaN',
      yes: true,
      doc: { a: [1, null] },
      list: [1, 2],
      texts: ['a,b', null],
      exact: ['1.50'],
      deep: [[true], [false]],
    });
  });

  it.each<[SqlTaskSpec['result'], { [key: string]: Json }]>([
    ['value', { return_value: 'a', row_count: 2 }],
    ['row', { return_value: { letter: 'a', n: 1 }, row_count: 2 }],
    ['count', { return_value: 2, row_count: 2 }],
    ['csv', { return_value: 'letter,n\r\na,1\r\n"b,""c""",\r\n', row_count: 2 }],
    ['ndjson', { return_value: '{"letter":"a","n":1}\n{"letter":"b,\\"c\\"","n":null}\n', row_count: 2 }],
  ])('may have its %s as its result', async (result, results) => {
    const sql = [`select * from (values ('a', 1), ('b,"c"', null)) t(letter, n)`];
    expect(await resultOf(run({ sql, result }))).toEqual(results);
  });

  it('may have no result at all', async () => {
    expect(await resultOf(run({ sql: ['select 1'], result: 'none' }))).toEqual({});
  });

  it('has the number of changed rows as its result when no statement gives rows', async () => {
    const results = await resultOf(
      run({ sql: ['insert into spare select generate_series(1, 5); delete from spare where n > 2'] }),
    );
    expect(results).toEqual({ return_value: 3, row_count: 3 });
  });

  it('passes parameters by name and by number, never as a part of the statement', async () => {
    const evil = `'; drop table spare; --`;
    expect(
      await resultOf(run({ sql: ['select :evil as v, :n::int + 1 as n'], parameters: { evil, n: 1 }, result: 'row' })),
    ).toMatchObject({
      return_value: { v: evil, n: 2 },
    });
    const sql = ['select $1 as a; select $2::jsonb as doc, $1 as a, $3::int[] as list'];
    expect(await resultOf(run({ sql, parameters: ['{{ ds }}', { k: evil }, [1, 2]], result: 'row' }))).toMatchObject({
      return_value: { doc: { k: evil }, a: '2026-01-02', list: [1, 2] },
    });
  });

  it('fails before it connects when a parameter is missing', async () => {
    const { report } = await run({ sql: ['select :missing'], parameters: { other: 1 } });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'database_error', retryable: false });
    expect(report.message).toBe("There is no parameter 'missing' for the statement: select :missing");
  });

  it('is one transaction: a statement that fails leaves nothing of those before it', async () => {
    await database.pool.query('truncate spare');
    const { report, lines } = await run({ sql: ['insert into spare values (1)', 'insert into nowhere values (1)'] });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'database_error', evidence: { sqlstate: '42P01' } });
    expect(report.message).toContain('relation "nowhere" does not exist');
    expect(lines).toContain('o Rolled back.');
    expect(await rowsOf('select * from spare')).toEqual([]);
  });

  it('keeps what was done before a failure when it commits by itself, and can then do what no transaction allows', async () => {
    await database.pool.query('truncate spare');
    await run({ autocommit: true, sql: ['insert into spare values (1)', 'insert into nowhere values (1)'] });
    expect(await rowsOf('select * from spare')).toEqual([{ n: 1 }]);
    await resultOf(run({ autocommit: true, sql: ['vacuum spare'] }));
    expect((await run({ sql: ['vacuum spare'] })).report).toMatchObject({
      outcome: 'failed',
      evidence: { sqlstate: '25001' },
    });
  });

  it('runs the statements of a file of its bundle, before its own', async () => {
    const bundleHash = runner.bundle({
      'sql/report.sql': `-- first\ncreate temp table t as select :n::int as n;\nselect n from t;`,
    });
    const task = {
      file: 'sql/report.sql',
      parameters: { n: 7 },
      sql: ['select n + 1 as n from t'],
      result: 'value' as const,
    };
    expect(await resultOf(run(task, { bundleHash }))).toMatchObject({ return_value: 8 });
  });

  it('reads no file outside of its bundle', async () => {
    const bundleHash = runner.bundle({ 'a.sql': 'select 1' });
    const { report } = await run(
      { file: '{{ params.file }}' },
      { bundleHash, run: { params: { file: '../../x.sql' } } },
    );
    expect(report).toMatchObject({ outcome: 'failed', retryable: false });
    expect(report.message).toContain('is not relative to the DAG file');
  });

  it('fails when there are more rows than maxRows, and the server is told to stop', async () => {
    const { report } = await run({ sql: ['select generate_series(1, 1000000000)'], maxRows: 100 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'result_invalid', retryable: false });
    expect(report.message).toContain('more than 100 rows (maxRows)');
  });

  it('leaves many rows in the store of large results', async () => {
    const { report, files } = await run({ sql: [`select n, repeat('x', 100) as x from generate_series(1, 5000) n`] });
    expect(report).toMatchObject({ outcome: 'success', xcoms: { row_count: 5000 } });
    const rows = JSON.parse(readFileSync(files?.['return_value']?.path ?? '', 'utf8')) as Json[];
    expect([rows.length, rows[4999]]).toEqual([5000, { n: 5000, x: 'x'.repeat(100) }]);
  });

  it('fails when two columns have one name', async () => {
    const { report } = await run({ sql: ['select 1 as a, 2 as a'] });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'result_invalid' });
    expect(report.message).toContain("two columns named 'a'");
  });

  const activity = () =>
    rowsOf<{ query: string }>(
      `select query from pg_stat_activity where application_name = 'millrace dag.task' and state = 'active'
        and datname = current_database()`,
    );

  it('stops on the server when it is cancelled, and what it did is undone', async () => {
    await database.pool.query('truncate spare');
    const dispatchId = runner.start(
      { kind: 'sql', connection: 'db', sql: ['insert into spare values (1)', 'select pg_sleep(600)'] },
      { connections },
    );
    await waitFor(async () => (await activity()).some(({ query }) => query.includes('pg_sleep')), {
      what: 'the query',
    });
    runner.client.cancel(dispatchId, 'cancelled');
    const { report, lines } = await runner.finished(dispatchId);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'cancelled' });
    expect(lines).toContain('o Rolled back.');
    expect(await activity()).toEqual([]);
    expect(await rowsOf('select * from spare')).toEqual([]);
  });

  it('stops on the server at its time limit', async () => {
    const { report } = await run({ sql: ['select pg_sleep(600)'], executionTimeout: 1 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'timeout' });
    expect(await activity()).toEqual([]);
  });

  it('tells the server how long a statement may take, for the case that nobody can stop it', async () => {
    const { return_value: left } = await resultOf(
      run({
        sql: [`select extract(epoch from current_setting('statement_timeout')::interval)::int`],
        executionTimeout: 60,
        result: 'value',
      }),
    );
    expect(left).toBeGreaterThan(55);
    expect(left).toBeLessThanOrEqual(62);
  });

  it('hides secrets in its log, also where a statement is cut', async () => {
    const secret = 'correct-horse-battery-staple';
    const sql = [`select '${'-'.repeat(480)}${secret}'`];
    const { lines } = await run({ sql, result: 'none' }, { secrets: [secret] });
    expect(lines.join('\n')).toContain('--***…');
    expect(lines.join('\n')).not.toContain('correct');
  });

  it('says that the database cannot be reached, and who cannot log in', async () => {
    const db = { ...connections['db']!, host: '127.0.0.1', port: await freePort() };
    const { report } = await run({ sql: ['select 1'] }, { connections: { db } });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'database_unreachable' });
    expect(report.message).toContain('ECONNREFUSED');
    const stranger = { ...connections['db']!, schema: 'no_such_database' };
    const { report: refused } = await run({ sql: ['select 1'] }, { connections: { db: stranger } });
    expect(refused.message).toContain('database "no_such_database" does not exist');
  });

  it('needs a connection for a database that there is a driver for', async () => {
    const db = { ...connections['db']!, kind: 'http' };
    const { report } = await run({ sql: ['select 1'] }, { connections: { db } });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'start_failed', retryable: false });
    expect(report.message).toContain("The connection 'db' is of kind 'http'");
  });

  it('loads a CSV file of its bundle, by its headers, without losing a digit', async () => {
    const csv =
      '\ufeffname,id,amount,at\r\n"O\'Neil, ""Al""",1,12345678901234567890.10,2026-01-02T03:04:05.000001Z\r\n"",2,,\r\n"two\nlines",3,0.00,\n';
    const bundleHash = runner.bundle({ 'data/orders.csv': csv });
    expect(await loaded({ file: 'data/orders.csv' }, { bundleHash })).toEqual([
      {
        id: '1',
        name: `O'Neil, "Al"`,
        amount: '12345678901234567890.10',
        at: '2026-01-02 03:04:05.000001',
        extra: null,
      },
      { id: '2', name: '', amount: null, at: null, extra: null },
      { id: '3', name: 'two\nlines', amount: '0.00', at: null, extra: null },
    ]);
  });

  it('loads CSV with a mapping of its headers, another delimiter and another word for NULL', async () => {
    const bundleHash = runner.bundle({ 'x.csv': 'Nr;Kunde;egal\n5;NA;x\n6;"NA";y\n' });
    const load = { file: 'x.csv', columns: { id: 'Nr', name: 'Kunde' }, delimiter: ';', nullText: 'NA' };
    expect(await loaded(load, { bundleHash })).toMatchObject([
      { id: '5', name: null },
      { id: '6', name: 'NA' },
    ]);
  });

  it('loads NDJSON: numbers to the digit, nested values as JSON', async () => {
    const lines = `{"id": 9007199254740993, "amount": 0.10000000000000000001, "extra": {"n": 12345678901234567890, "s": "}\\""}, "name": null}\n\n{"id":2,"name":"\\u00e9"}\n`;
    const bundleHash = runner.bundle({ 'x.ndjson': lines });
    expect(await loaded({ file: 'x.ndjson', format: 'ndjson' }, { bundleHash })).toEqual([
      { id: '2', name: 'é', amount: null, at: null, extra: null },
      {
        id: '9007199254740993',
        name: null,
        amount: '0.10000000000000000001',
        at: null,
        extra: '{"n": 12345678901234567890, "s": "}\\""}',
      },
    ]);
  });

  it('loads the result of another task: objects, those of all instances of a mapped one, or text', async () => {
    const inputs = { rows: { task: 'extract', key: 'return_value' } };
    const xcom = (value: Json, mapIndex = -1) => ({ taskId: 'extract', mapIndex, key: 'return_value', value });
    const load = { input: 'rows' };
    expect(
      await loaded(
        load,
        {
          xcoms: [
            xcom([
              { id: 1, extra: [1] },
              { id: 2, name: 'b' },
            ]),
          ],
        },
        { inputs },
      ),
    ).toMatchObject([
      { id: '1', name: null, extra: '[1]' },
      { id: '2', name: 'b', extra: null },
    ]);
    expect(await loaded(load, { xcoms: [xcom([{ id: 4 }], 1), xcom([{ id: 3 }], 0)] }, { inputs })).toMatchObject([
      { id: '3' },
      { id: '4' },
    ]);
    expect(await loaded(load, { xcoms: [xcom('id,name\n5,e\n')] }, { inputs })).toMatchObject([{ id: '5', name: 'e' }]);
    expect(await loaded(load, { xcoms: [xcom([])] }, { inputs })).toEqual([]);
  });

  it('loads nothing at all when one row does not fit', async () => {
    await database.pool.query('truncate target');
    const bundleHash = runner.bundle({ 'x.csv': 'id,name\n1,a\nx,b\n' });
    const { report } = await run({ load: { ...LOAD, file: 'x.csv' } }, { bundleHash });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'database_error', evidence: { sqlstate: '22P02' } });
    expect(report.message).toContain('Loading into target');
    expect(await rowsOf('select * from target')).toEqual([]);
  });

  it.each([
    ['a row with too many fields', 'id,name\n1,a\n2,b,c\n', {}, 'Row 2 of x.csv has 3 fields, its header has 2.'],
    [
      'a header that is missing',
      'id\n1\n',
      { columns: { name: 'Name' } },
      "x.csv has no header 'Name' for the column 'name'",
    ],
    ['a quote that never ends', 'id,name\n1,"a\n', {}, 'The CSV ends inside a quoted field'],
    ['nothing', '', {}, 'x.csv is empty'],
  ])('says what is wrong with a file that has %s', async (_what, text, load, message) => {
    const bundleHash = runner.bundle({ 'x.csv': text });
    const { report } = await run({ load: { ...LOAD, file: 'x.csv', ...load } }, { bundleHash });
    expect(report.outcome).toBe('failed');
    expect(report.message).toContain(message);
  });

  it('loads 200,000 rows through one COPY', async () => {
    const lines = Array.from({ length: 200_000 }, (_, n) => `${n},name ${n}`).join('\n');
    const bundleHash = runner.bundle({ 'big.csv': `id,name\n${lines}\n` });
    const task = { sql: ['truncate target'], load: { ...LOAD, file: 'big.csv' } };
    expect(await resultOf(run(task, { bundleHash }))).toEqual({ return_value: 200_000, row_count: 200_000 });
    expect(await rowsOf('select count(*)::int as n, max(id)::int as last from target')).toEqual([
      { n: 200_000, last: 199_999 },
    ]);
  });

  it('writes rows to a file, complete or not at all', async () => {
    const path = join(runner.home, 'out', 'rows-{{ ds }}.csv');
    const written = path.replace('{{ ds }}', '2026-01-02');
    const unload = { path, format: 'csv' as const };
    const task = { sql: [`select n, 'x' || n as name from generate_series(1, 100000) n`], unload, maxRows: 10 };
    expect(await resultOf(run(task))).toMatchObject({
      return_value: { path: written, rows: 100_000 },
      row_count: 100_000,
    });
    const lines = readFileSync(written, 'utf8').split('\r\n');
    expect([lines.length, lines[0], lines[100_000]]).toEqual([100_002, 'n,name', '100000,x100000']);
    const broken = { path: join(runner.home, 'out', 'broken.csv'), format: 'csv' as const };
    expect(
      (await run({ sql: ['select 1 / (3 - n) from generate_series(1, 5) n'], unload: broken })).report.outcome,
    ).toBe('failed');
    expect(existsSync(broken.path)).toBe(false);
    expect(readdirSync(join(runner.home, 'out'))).toEqual(['rows-2026-01-02.csv']);
  });

  it('logs its statements and what they did, but no parameter and no password', async () => {
    const { lines } = await run({ sql: ['select :secret as a'], parameters: { secret: 'hunter2' } });
    expect(lines).toContain('o select $1 as a (1 parameter)');
    expect(lines.some((line) => /^o → SELECT 1 \(\d+ ms\)$/.test(line))).toBe(true);
    expect(lines.join('\n')).not.toContain('hunter2');
  });
});

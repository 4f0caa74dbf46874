import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '#db/queries/connections.ts';
import { startLoop, type Loop } from '#server/scheduler/loop.ts';
import { wakeRetries } from '#server/scheduler/wake-retries.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';
import { TEST_VAULT } from '../helpers/engine.ts';
import { sendJson, startHttpService, type HttpService } from '../helpers/http-service.ts';
import { startRunningService, type RunningService } from '../helpers/running-service.ts';

describe('in a run', () => {
  let database: TestDatabase;
  let service: RunningService;
  let web: HttpService;
  let retries: Loop;
  beforeAll(async () => {
    database = await createTestDatabase();
    [service, web] = await Promise.all([startRunningService(database), startHttpService()]);
    const pass = () => wakeRetries(database.pool, service.app.engine).then((ms) => Math.min(ms, 50));
    retries = startLoop({ name: 'retries', mostMs: 50, onError: () => undefined, pass });
    const url = new URL(database.url);
    const fields = {
      kind: 'postgres' as const,
      host: url.searchParams.get('host') ?? url.hostname,
      port: Number(url.port),
      schema: url.pathname.slice(1),
      login: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      ...{ description: null, extra: {}, secretExtra: {} },
    };
    await createConnection(database.db, TEST_VAULT, { id: 'shop', ...fields }, 'test');
    const api = { ...fields, kind: 'http' as const, host: '127.0.0.1', port: web.port, schema: 'http', login: null };
    await createConnection(
      database.db,
      TEST_VAULT,
      { id: 'api', ...api, secretExtra: { token: 't0p-s3cret' } },
      'test',
    );
    await database.pool.query('create table sale (id int primary key, region text)');
  });
  afterAll(async () => {
    await retries.stop();
    await service.stop();
    await web.stop();
  });

  let dags = 0;
  const http = (taskId: string, path: string, more: object = {}) => ({
    taskId,
    kind: 'http',
    url: `${web.url}${path}`,
    requestRetryDelay: 0,
    retryDelay: 0,
    ...more,
  });
  const sql = (taskId: string, text: string | string[], more: object = {}) => ({
    ...{ taskId, kind: 'sql', connection: 'shop', sql: text, retryDelay: 0, ...more },
  });
  const bash = (taskId: string, command: string, more: object = {}) => ({ taskId, kind: 'bash', command, ...more });

  /** The final states, each with its number of tries where there was more than one. */
  const run = async (...tasks: object[]): Promise<{ [task: string]: string }> => {
    const { runId, states } = await service.run({ dagId: `dag_${++dags}`, tasks });
    await checkRuns(database, { runIds: [runId] });
    const { rows } = await database.pool.query<{ name: string; n: number }>(
      `select v.task_id || case when t.map_index < 0 then '' else '[' || t.map_index || ']' end as name, max(t.try_number) as n
         from task_try t join dag_run r on r.id = t.run_id
         join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index
       where t.run_id = $1 group by 1 having max(t.try_number) > 1`,
      [runId],
    );
    const tries = new Map(rows.map(({ name, n }) => [name, n]));
    return Object.fromEntries(
      Object.entries(states).map(([name, state]) => [name, [state, tries.get(name)].filter(Boolean).join(' ')]),
    );
  };
  const sales = async () =>
    (await database.pool.query<{ sale: string }>(`select id || ' ' || region as sale from sale order by id`)).rows.map(
      ({ sale }) => sale,
    );

  describe('an http task', () => {
    it('whose answer is not as expected is tried again as often as it may, fails, and what depends on it does not run', async () => {
      web.on('/stock', (_request, res) => sendJson(res, { left: 0 }));
      const expectation = { json: { '$.left': { equals: 1 } } };
      expect(
        await run(
          http('ask', '/stock', { retries: 2, expect: expectation }),
          bash('buy', 'true', { upstream: ['ask'] }),
        ),
      ).toEqual({ ask: 'failed 3', buy: 'upstream_failed' });
      expect(web.to('/stock')).toHaveLength(3);
    });

    it('succeeds at a later try of its task when the answer has become what it expects', async () => {
      web.on('/job', (_request, res, count) => sendJson(res, { state: count < 3 ? 'running' : 'done' }));
      const task = { retries: 5, expect: { json: { '$.state': 'done' } }, result: { path: '$.state' } };
      expect(
        await run(http('job', '/job', task), bash('then', '[ "$STATE" = done ]', { inputs: { STATE: 'job' } })),
      ).toEqual({ job: 'success 3', then: 'success' });
    });

    it('sends its request again within one try while the service says 500', async () => {
      web.on('/flaky', (_request, res, count) => sendJson(res, { count }, count < 4 ? 500 : 200));
      expect(await run(http('ask', '/flaky'))).toEqual({ ask: 'success' });
      expect(web.to('/flaky')).toHaveLength(4);
    });

    it('makes all its requests anew in each try', async () => {
      web.on('/down', (_request, res) => sendJson(res, {}, 503));
      expect(await run(http('ask', '/down', { requestRetries: 1, retries: 1 }))).toEqual({ ask: 'failed 2' });
      expect(web.to('/down')).toHaveLength(4);
    });

    it('fails at a 404, and not when it expects one', async () => {
      expect(
        await run(
          http('plain', '/nothing'),
          http('expecting', '/nothing', { expect: { status: [404, '2xx'] }, result: 'status' }),
          bash('told', '[ "$STATUS" = 404 ]', { inputs: { STATUS: 'expecting' } }),
        ),
      ).toEqual({ plain: 'failed', expecting: 'success', told: 'success' });
    });

    it('is skipped with what it depends on, and asks nobody', async () => {
      web.on('/never', (_request, res) => sendJson(res, {}));
      expect(
        await run(
          bash('decide', 'exit 99'),
          http('ask', '/never', { upstream: ['decide'] }),
          bash('after', 'true', { upstream: ['ask'], triggerRule: 'none_failed' }),
        ),
      ).toEqual({ decide: 'skipped', ask: 'skipped', after: 'success' });
      expect(web.to('/never')).toEqual([]);
    });

    it('is made once for each entry that it is mapped over', async () => {
      web.on('/city', ({ path }, res) => sendJson(res, {}, path.endsWith('=Oslo') ? 404 : 200));
      const map = { over: { kind: 'product', axes: { city: { kind: 'literal', items: ['Rome', 'Oslo', 'Bonn'] } } } };
      expect(await run(http('ask', '/city', { query: { name: '{{ inputs.city }}' }, map }))).toEqual({
        'ask[0]': 'success',
        'ask[1]': 'failed',
        'ask[2]': 'success',
      });
      expect(new Set(web.to('/city').map(({ path }) => path))).toEqual(
        new Set(['/city?name=Rome', '/city?name=Oslo', '/city?name=Bonn']),
      );
    });

    it('gets the secrets of the connection that it names, and fails at once without one that is there', async () => {
      web.on('/me', ({ headers }, res) => sendJson(res, headers.authorization === 'Bearer t0p-s3cret'));
      const me = { taskId: 'me', kind: 'http', connection: 'api', path: '/me', expect: { json: { $: true } } };
      expect(await run(me, { ...me, taskId: 'stranger', connection: 'nowhere', retries: 3 })).toEqual({
        me: 'success',
        stranger: 'failed',
      });
    });

    it('whose answer is large hands it on by reference', async () => {
      web.on('/large', (_request, res) => sendJson(res, Array(50_000).fill('row')));
      const source = 'def main(rows): assert len(rows) == 50000 and rows[-1] == "row"';
      expect(
        await run(http('ask', '/large'), { taskId: 'read', kind: 'python', source, inputs: { rows: 'ask' } }),
      ).toEqual({ ask: 'success', read: 'success' });
    });
  });

  describe('an sql task', () => {
    it('whose rows a task is mapped over makes one instance for each row', async () => {
      const map = { over: { kind: 'product', axes: { ROW: { kind: 'result', task: 'rows', key: 'return_value' } } } };
      expect(
        await run(
          sql('rows', `select n, 'r' || n as name from generate_series(1, 3) n`),
          bash('each', `[ "$ROW" != '{"n":2,"name":"r2"}' ]`, { map }),
          bash('after', 'true', { upstream: ['each'], triggerRule: 'all_done' }),
        ),
      ).toEqual({
        rows: 'success',
        'each[0]': 'success',
        'each[1]': 'failed',
        'each[2]': 'success',
        after: 'success',
      });
    });

    it('that gives no rows skips what is mapped over it', async () => {
      const map = { over: { kind: 'product', axes: { ROW: { kind: 'result', task: 'rows', key: 'return_value' } } } };
      expect(await run(sql('rows', 'select 1 as n where false'), bash('each', 'true', { map }))).toEqual({
        rows: 'success',
        each: 'skipped',
      });
    });

    it('undoes all its statements when a later one fails, in each of its tries', async () => {
      await database.pool.query('truncate sale');
      expect(
        await run(
          sql('first', `insert into sale values (1, 'eu')`),
          sql('second', [`insert into sale values (2, 'eu')`, `insert into sale values (1, 'us')`], {
            upstream: ['first'],
            retries: 1,
          }),
          sql('third', `insert into sale values (3, 'eu')`, { upstream: ['second'] }),
        ),
      ).toEqual({ first: 'success', second: 'failed 2', third: 'upstream_failed' });
      expect(await sales()).toEqual(['1 eu']);
    });

    it('keeps what came before the failure when it commits by itself', async () => {
      await database.pool.query('truncate sale');
      const statements = [`insert into sale values (2, 'eu')`, 'select 1 / 0'];
      expect(await run(sql('a', statements, { autocommit: true }))).toEqual({ a: 'failed' });
      expect(await sales()).toEqual(['2 eu']);
    });

    it('is not tried again when a parameter is missing, for that would not change', async () => {
      expect(await run(sql('a', 'select :day', { parameters: { date: '{{ run_id }}' }, retries: 3 }))).toEqual({
        a: 'failed',
      });
    });

    it('loads what another task has returned, however large it is', async () => {
      await database.pool.query('truncate sale');
      const source = 'def main(): return [{"id": n, "region": "r" * 10} for n in range(20000)]';
      expect(
        await run(
          { taskId: 'make', kind: 'python', source },
          sql('load', [], { inputs: { rows: 'make' }, load: { input: 'rows', table: 'sale' } }),
          sql('check', 'select 1 / (count(*) - 19999)::int from sale', { upstream: ['load'] }),
        ),
      ).toEqual({ make: 'success', load: 'success', check: 'success' });
      expect((await sales()).length).toBe(20_000);
    });

    it('loads nothing, and keeps nothing of its statements, when one row does not fit', async () => {
      await database.pool.query(`truncate sale; insert into sale values (7, 'old')`);
      const source = 'def main(): return [{"id": 1, "region": "a"}, {"id": 1, "region": "b"}]';
      const load = { inputs: { rows: 'make' }, load: { input: 'rows', table: 'sale' } };
      expect(await run({ taskId: 'make', kind: 'python', source }, sql('load', ['delete from sale'], load))).toEqual({
        make: 'success',
        load: 'failed',
      });
      expect(await sales()).toEqual(['7 old']);
    });

    it('takes what an http task has answered as parameters, never as a part of the statement', async () => {
      await database.pool.query('truncate sale');
      web.on('/region', (_request, res) => sendJson(res, { region: `eu'); drop table sale; --` }));
      const insert = sql('put', 'insert into sale values (1, :region)', {
        inputs: { answer: 'ask' },
        parameters: { region: '{{ inputs.answer.region }}' },
      });
      expect(await run(http('ask', '/region'), insert)).toEqual({ ask: 'success', put: 'success' });
      expect(await sales()).toEqual([`1 eu'); drop table sale; --`]);
    });
  });
});

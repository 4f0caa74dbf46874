import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { HttpTarget } from '#sdk/waiting-spec.ts';
import { lookOutside } from '#server/operators/look.ts';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';
import { sendJson, startHttpService, type HttpService } from '../../helpers/http-service.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const connection = (fields: Partial<ConnectionValue>): ConnectionValue => ({
  id: 'there',
  kind: 'http',
  host: '127.0.0.1',
  port: null,
  schema: null,
  login: null,
  password: null,
  extra: {},
  ...fields,
});

describe('a look into a database', () => {
  let database: TestDatabase;
  let there: ConnectionValue;
  beforeAll(async () => {
    database = await createTestDatabase();
    const url = new URL(database.url);
    there = connection({
      kind: 'postgres',
      host: url.searchParams.get('host') ?? url.hostname,
      port: Number(url.port),
      schema: url.pathname.slice(1),
      login: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    });
  });
  const look = (query: string, { extra = {}, signal = new AbortController().signal, parameters = [] as Json[] } = {}) =>
    lookOutside(
      { sql: { connection: 'there', query, parameters } },
      { there: { ...there, extra: { ...there.extra, ...extra } } },
      signal,
    );

  it('has found something when the first cell is neither null, false, 0 nor empty', async () => {
    expect(await look('select $1::int + 1, false', { parameters: [1] })).toEqual({ found: true, value: 2 });
    expect(await look(`select '{"n": [1]}'::jsonb`)).toEqual({ found: true, value: { n: [1] } });
    for (const cell of ['null', 'false', '0', '0::bigint', '0.00::numeric', `''`])
      expect(await look(`select ${cell}`), cell).toMatchObject({ found: false });
    expect(await look('select 1 where false')).toEqual({ found: false, note: 'no row' });
  });

  it('reads one row, however many there are', async () => {
    expect(await look('select generate_series(1, 1000000000)')).toEqual({ found: true, value: 1 });
  });

  it('changes nothing', async () => {
    expect(await look('create table made (n int)')).toMatchObject({ failed: expect.stringContaining('read-only') });
  });

  it.each([{ sslmode: 'require' }, { sslmode: 'verify-ca' }, { sslmode: 'verify-full' }, { ssl: true }])(
    'does not go to a server without TLS where %o is asked for',
    async (extra) => {
      expect(await look('select 1', { extra })).toMatchObject({
        failed: expect.stringMatching(/^The database of connection 'there' cannot be reached: .*SSL/),
      });
    },
  );

  it('ends in the database too when it is stopped', async () => {
    const stop = new AbortController();
    const going = async () => {
      const { rows } = await database.pool.query(
        `select 1 from pg_stat_activity where application_name = 'millrace sensor' and query like '%pg_sleep(600)%'`,
      );
      return rows.length > 0;
    };
    const looked = look('select pg_sleep(600)', { signal: stop.signal });
    await waitFor(going, { what: 'the query' });
    stop.abort();
    expect(await looked).toMatchObject({ found: false });
    await waitFor(async () => !(await going()), { what: 'the end of the query' });
  });
});

describe('a look for an HTTP answer', () => {
  let service: HttpService;
  let other: HttpService;
  beforeAll(async () => {
    [service, other] = await Promise.all([startHttpService(), startHttpService()]);
  });
  afterAll(() => Promise.all([service.stop(), other.stop()]));

  const look = (fields: Partial<HttpTarget>, there = connection({})) => {
    const target: HttpTarget = {
      url: null,
      connection: null,
      path: null,
      method: 'GET',
      headers: {},
      body: null,
      status: ['2xx'],
      failStatus: [],
      contains: null,
      json: {},
      ...fields,
    };
    return lookOutside({ http: target }, { there }, new AbortController().signal);
  };

  it('compares values of its JSON, whatever the order of their keys', async () => {
    service.on('/jobs', (_request, res) => sendJson(res, { jobs: [{ a: 1, b: [2] }], n: { 0: 'x' } }));
    const url = `${service.url}/jobs`;
    const wanted: HttpTarget['json'][] = [
      { 'jobs.0': { b: [2], a: 1 } },
      { '$.jobs[0]': { b: [2], a: 1 } },
      { 'n.0': 'x' },
    ];
    for (const json of wanted) expect(await look({ url, json }), JSON.stringify(json)).toMatchObject({ found: true });
    expect(await look({ url, json: { 'jobs.1': null } })).toEqual({ found: false, note: 'jobs.1 is absent' });
    expect(await look({ url, json: { $jobs: 1 } })).toMatchObject({ failed: expect.stringContaining('not a path') });
  });

  it('goes where its connection says, with its headers, which no other host gets', async () => {
    service.on('/v1/moved', (_request, res) => res.writeHead(302, { location: `${other.url}/new` }).end());
    other.on('/new', (_request, res) => sendJson(res, {}));
    const extra = { token: 't0k3n', headers: { 'X-Own': '1' } };
    const there = connection({ port: service.port, schema: 'v1', extra });
    expect(await look({ connection: 'there', path: '/moved' }, there)).toMatchObject({ found: true });
    expect(service.to('/v1/moved')[0]?.headers).toMatchObject({ authorization: 'Bearer t0k3n', 'x-own': '1' });
    expect(Object.keys(other.to('/new')[0]?.headers ?? {})).not.toEqual(expect.arrayContaining(['x-own']));
    expect(other.to('/new')[0]?.headers.authorization).toBeUndefined();
  });

  it('sees the first MiB of a longer answer', async () => {
    service.on('/long', (_request, res) => res.end(`ready${'x'.repeat(3 * 2 ** 20)}`));
    expect(await look({ url: `${service.url}/long`, contains: 'ready' })).toEqual({
      found: true,
      value: { status: 200, body: `ready${'x'.repeat(2 ** 20 - 5)}` },
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { HttpTaskSpec } from '#sdk/dag-spec.ts';
import { sendJson, startHttpService, type HttpService } from '../helpers/http-service.ts';
import { startRunner, type DispatchExtras } from '../helpers/runner.ts';
import { waitFor } from '../helpers/wait-for.ts';

describe('an http task', () => {
  let runner: ReturnType<typeof startRunner>;
  let service: HttpService;
  let other: HttpService;
  beforeAll(async () => {
    runner = startRunner();
    [service, other] = await Promise.all([startHttpService(), startHttpService()]);
    service.on('/orders', (_request, res) => sendJson(res, { orders: [{ id: 7 }, { id: 9 }], total: 2 }));
    service.on('/text', (_request, res) => res.end('plain ünïcode'));
  });
  afterAll(async () => {
    await runner.stop();
    await Promise.all([service.stop(), other.stop()]);
  });

  const http = (task: Partial<HttpTaskSpec>, extras?: DispatchExtras) => runner.run({ kind: 'http', ...task }, extras);
  const get = (path: string, task: Partial<HttpTaskSpec> = {}, extras?: DispatchExtras) =>
    http({ url: `${service.url}${path}`, ...task }, extras);
  const valueOf = async (result: ReturnType<typeof http>): Promise<Json | undefined> => {
    const { report, lines } = await result;
    expect(report, lines.join('\n')).toMatchObject({ outcome: 'success', cause: 'ok' });
    return report.xcoms?.['return_value'];
  };
  const connectionOf = (fields: Partial<ConnectionValue> = {}): { [id: string]: ConnectionValue } => ({
    api: {
      id: 'api',
      kind: 'http',
      host: '127.0.0.1',
      port: service.port,
      schema: 'http',
      login: null,
      password: null,
      extra: {},
      ...fields,
    },
  });

  it('has the JSON of the answer as its result', async () => {
    expect(await valueOf(get('/orders'))).toEqual({ orders: [{ id: 7 }, { id: 9 }], total: 2 });
  });

  it('has the text of an answer that is not JSON, unless it asks for JSON: then it fails', async () => {
    expect(await valueOf(get('/text'))).toBe('plain ünïcode');
    const { report } = await get('/text', { result: 'json' });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
    expect(report.message).toContain('The answer is not JSON');
  });

  it.each<[string, HttpTaskSpec['result'], Json]>([
    ['its status', 'status', 200],
    ['a part of it', { path: '$.orders[1].id' }, 9],
    ['the same part of each entry', { path: '$.orders[*].id' }, [7, 9]],
    ['the last entry', { path: '$.orders[-1]' }, { id: 9 }],
  ])('may have %s as its result', async (_what, result, value) => {
    expect(await valueOf(get('/orders', { result }))).toEqual(value);
  });

  it('may have the headers as its result, or none', async () => {
    expect(await valueOf(get('/orders', { result: 'headers' }))).toMatchObject({ 'content-type': 'application/json' });
    const { report } = await get('/orders', { result: 'none' });
    expect(report.xcoms).toBeUndefined();
  });

  it('fails when there is nothing at the path of its result', async () => {
    const { report } = await get('/orders', { result: { path: '$.orders[5].id' } });
    expect(report).toMatchObject({ outcome: 'failed', message: 'There is nothing at $.orders[5].id in the answer.' });
  });

  it('sends query, headers and JSON, with templates rendered everywhere', async () => {
    service.on('/echo', (request, res) => sendJson(res, request));
    const value = await valueOf(
      http({
        method: 'POST',
        url: `${service.url}/echo?fixed=1`,
        query: { day: '{{ ds }}', tag: ['a', 'b&c'], none: null, n: 3 },
        headers: { 'X-Run': '{{ run_id }}' },
        json: { day: '{{ ds }}', list: [1, '{{ task_id }}'], keep: { n: 1.5 } },
      }),
    );
    expect(value).toMatchObject({
      method: 'POST',
      path: '/echo?fixed=1&day=2026-01-02&tag=a&tag=b%26c&n=3',
      body: '{"day":"2026-01-02","list":[1,"task"],"keep":{"n":1.5}}',
      headers: { 'x-run': 'manual__1', 'content-type': 'application/json' },
    });
  });

  it('sends a form, or a body as it is', async () => {
    service.on('/echo', (request, res) => sendJson(res, request));
    expect(await valueOf(get('/echo', { method: 'PUT', form: { a: '1 2', b: '{{ ds }}' } }))).toMatchObject({
      body: 'a=1+2&b=2026-01-02',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(
      await valueOf(
        get('/echo', { method: 'PATCH', body: '<x>{{ ds }}</x>', headers: { 'content-type': 'text/xml' } }),
      ),
    ).toMatchObject({ body: '<x>2026-01-02</x>', headers: { 'content-type': 'text/xml' } });
  });

  it('fails at a status that is not expected, and says how the answer begins', async () => {
    const { report, lines } = await get('/nowhere');
    expect(report).toMatchObject({
      outcome: 'failed',
      cause: 'unexpected_answer',
      message: 'The answer has status 404, not 2xx: {"error":"nothing here"}',
      evidence: { status: 404 },
    });
    expect(lines.some((line) => line.includes('→ 404, 24 bytes of application/json'))).toBe(true);
  });

  it('succeeds at a status that it names', async () => {
    const expectation = { status: ['404', '2xx'], json: {}, bodyMatches: null };
    expect(await valueOf(get('/nowhere', { expect: expectation, result: 'status' }))).toBe(404);
  });

  it.each<[string, HttpTaskSpec['expect']['json'][string], string, string]>([
    ['another value', { equals: 3 }, '$.total', '$.total is 2, not 3.'],
    ['an expression that does not match', { matches: '^x' }, '$.orders', '$.orders is [{"id":7},{"id":9}], which does'],
    ['a value that is missing', { exists: true }, '$.next', '$.next is missing.'],
    ['a value that should not be there', { exists: false }, '$.total', '$.total is there: 2.'],
  ])('fails at %s', async (_what, expectation, path, message) => {
    const { report } = await get('/orders', {
      expect: { status: ['2xx'], json: { [path]: expectation }, bodyMatches: null },
    });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
    expect(report.message).toContain(message);
  });

  it('succeeds when all that it expects of the answer is so', async () => {
    await valueOf(
      get('/orders', {
        expect: {
          status: ['200'],
          json: { '$.total': { equals: 2 }, '$.orders[0]': { equals: { id: 7 } }, '$.next': { exists: false } },
          bodyMatches: '"id":\\s*7',
        },
      }),
    );
  });

  it('tries again after 5xx and 429, and succeeds when the service is back, within one try of the task', async () => {
    service.on('/flaky', (_request, res, count) =>
      count < 3 ? sendJson(res, {}, count === 1 ? 500 : 429) : sendJson(res, { count }),
    );
    expect(await valueOf(get('/flaky'))).toEqual({ count: 3 });
  });

  it('waits as long as Retry-After says', async () => {
    service.on('/busy', (_request, res, count) =>
      count === 1 ? sendJson(res, {}, 429, { 'retry-after': '1' }) : sendJson(res, { count }),
    );
    const { report, lines } = await get('/busy');
    expect(report.xcoms).toEqual({ return_value: { count: 2 } });
    expect(lines).toContain('o Attempt 1 of 4; the next one in 1.0 s.');
  });

  it('leaves it to the retries of the task when Retry-After asks for more than ten minutes', async () => {
    service.on('/closed', (_request, res) => sendJson(res, {}, 503, { 'retry-after': '3600' }));
    const { report } = await get('/closed');
    expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
    expect(report.retryable).not.toBe(false);
    expect(service.to('/closed')).toHaveLength(1);
  });

  it('gives up after its further attempts', async () => {
    service.on('/down', (_request, res) => sendJson(res, {}, 500));
    const { report } = await get('/down', { requestRetries: 2 });
    expect(report).toMatchObject({ outcome: 'failed', message: 'The answer has status 500, not 2xx: {}' });
    expect(service.to('/down')).toHaveLength(3);
  });

  it('never sends a POST twice that may have been carried out, unless it is told that this does no harm', async () => {
    service.on('/pay', (_request, res) => sendJson(res, {}, 500));
    await get('/pay', { method: 'POST', json: {} });
    expect(service.to('/pay')).toHaveLength(1);
    await get('/pay', { method: 'POST', json: {}, retryUnsafe: true, requestRetries: 1 });
    expect(service.to('/pay')).toHaveLength(3);
  });

  it('sends a POST again that was refused with 429, for then nothing was done', async () => {
    service.on('/limited', (_request, res, count) => sendJson(res, { count }, count === 1 ? 429 : 201));
    expect(await valueOf(get('/limited', { method: 'POST', json: {} }))).toEqual({ count: 2 });
  });

  it('tries again when the connection breaks, and says what happened when it never comes', async () => {
    service.on('/cut', (_request, res, count) => (count === 1 ? res.destroy() : sendJson(res, { count })));
    expect(await valueOf(get('/cut'))).toEqual({ count: 2 });
    const gone = await startHttpService();
    await gone.stop();
    const { report } = await http({ url: gone.url, requestRetries: 1 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'request_failed', evidence: { attempts: 2 } });
    expect(report.message).toContain('ECONNREFUSED');
  });

  it('fails when the answer takes longer than its timeout', async () => {
    service.on('/slow', (_request, res) => void res.writeHead(200).write('x'));
    const { report } = await get('/slow', { timeout: 0.2, requestRetries: 0 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'request_failed' });
    expect(report.message).toContain('No answer within 0.2 s.');
  });

  it('ends at once when it is cancelled, and the service sees the connection go', async () => {
    let isOpen = false;
    service.on('/hang', (_request, res) => {
      isOpen = true;
      res.on('close', () => (isOpen = false));
    });
    const dispatchId = runner.start({ kind: 'http', url: `${service.url}/hang` });
    await waitFor(() => isOpen, { what: 'the request' });
    runner.client.cancel(dispatchId, 'cancelled');
    const { report } = await runner.finished(dispatchId);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'cancelled', retryable: false });
    await waitFor(() => !isOpen, { what: 'the end of the connection' });
  });

  it('ends at its time limit, also while it waits for its next attempt', async () => {
    service.on('/never', (_request, res) => sendJson(res, {}, 500));
    const { report } = await get('/never', { executionTimeout: 0.5, requestRetryDelay: 60 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'timeout' });
  });

  it('takes host, login and headers from its connection, and stays with its host whatever the path says', async () => {
    service.on('/v1/echo', (request, res) => sendJson(res, request));
    const connections = connectionOf({
      host: `http://127.0.0.1:${service.port}/v1`,
      port: null,
      login: 'ada',
      password: 'pässword',
      extra: { headers: { 'X-Tenant': 'blue' } },
    });
    const value = await valueOf(http({ connection: 'api', path: 'echo' }, { connections }));
    expect(value).toMatchObject({
      headers: {
        authorization: `Basic ${Buffer.from('ada:pässword').toString('base64')}`,
        'x-tenant': 'blue',
      },
    });
    const { report } = await http(
      {
        connection: 'api',
        path: '//127.0.0.1:{{ params.port }}/steal',
        result: 'status',
        expect: { status: ['404'], json: {}, bodyMatches: null },
      },
      { connections, run: { params: { port: other.port } } },
    );
    expect(report.outcome).toBe('success');
    expect(other.seen).toEqual([]);
  });

  it('sends a token of its connection as Bearer', async () => {
    service.on('/echo', (request, res) => sendJson(res, request.headers.authorization));
    const connections = connectionOf({ extra: { token: 't0k3n' } });
    expect(await valueOf(http({ connection: 'api', path: '/echo' }, { connections }))).toBe('Bearer t0k3n');
  });

  it('needs a connection for HTTP', async () => {
    const { report } = await http(
      { connection: 'api', path: '/' },
      { connections: connectionOf({ kind: 'postgres' }) },
    );
    expect(report).toMatchObject({ outcome: 'failed', cause: 'start_failed', retryable: false });
    expect(report.message).toContain("The connection 'api' is of kind 'postgres'");
  });

  it('follows redirects, and never gives its credentials to another host', async () => {
    service.on('/moved', (_request, res) => res.writeHead(302, { location: `${other.url}/new` }).end());
    other.on('/new', (request, res) => sendJson(res, Object.keys(request.headers)));
    const connections = connectionOf({ login: 'ada', password: 'x', extra: { headers: { 'X-Own': '1' } } });
    const names = await valueOf(http({ connection: 'api', path: '/moved' }, { connections }));
    expect(names).not.toContain('authorization');
    expect(names).not.toContain('x-own');
  });

  it('takes an answer without a body that speaks of a packed one', async () => {
    const packed = { 'content-encoding': 'gzip', 'content-length': '20' };
    service.on('/packed', ({ method }, res) => res.writeHead(method === 'HEAD' ? 200 : 304, packed).end());
    service.on('/none', (_request, res) => res.writeHead(204, { 'content-encoding': 'gzip' }).end());
    const expectation = { status: ['304'], json: {}, bodyMatches: null };
    expect(await valueOf(get('/packed', { method: 'HEAD', result: 'status' }))).toBe(200);
    expect(await valueOf(get('/packed', { expect: expectation, result: 'status' }))).toBe(304);
    expect(await valueOf(get('/none', { result: 'status' }))).toBe(204);
  });

  it('fails at a circle of redirects, and takes a redirect as the answer when it follows none', async () => {
    service.on('/circle', (_request, res) => res.writeHead(302, { location: '/circle' }).end());
    const { report } = await get('/circle', { requestRetries: 3, maxRedirects: 2 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'request_failed', retryable: false });
    expect(service.to('/circle')).toHaveLength(3);
    const expectation = { status: ['302'], json: {}, bodyMatches: null };
    expect(await valueOf(get('/circle', { maxRedirects: 0, expect: expectation, result: 'status' }))).toBe(302);
  });

  it('reads all pages that Link headers lead to, as one list', async () => {
    service.on('/pages', ({ path }, res) => {
      const page = Number(new URL(path, service.url).searchParams.get('page') ?? 1);
      const link = page < 3 ? { link: `</pages?page=1>; rel="first", </pages?page=${page + 1}>; rel="next"` } : {};
      sendJson(res, [page * 10, page * 10 + 1], 200, link);
    });
    const pagination = { by: 'link' as const, items: '$', maxPages: 5 };
    expect(await valueOf(get('/pages', { pagination }))).toEqual([10, 11, 20, 21, 30, 31]);
  });

  it('reads all pages that a cursor leads to, and fails beyond maxPages', async () => {
    service.on('/cursor', ({ path }, res) => {
      const at = Number(new URL(path, service.url).searchParams.get('after') ?? 0);
      sendJson(res, { data: { items: [at] }, next: at < 4 ? String(at + 1) : null });
    });
    const pagination = {
      by: 'cursor' as const,
      items: '$.data.items',
      cursor: '$.next',
      parameter: 'after',
      maxPages: 5,
    };
    expect(await valueOf(get('/cursor', { pagination }))).toEqual([0, 1, 2, 3, 4]);
    const { report } = await get('/cursor', { pagination: { ...pagination, maxPages: 3 } });
    expect(report).toMatchObject({ outcome: 'failed', message: 'There are more than 3 pages (maxPages).' });
  });

  it('never follows a link to a next page on another host', async () => {
    service.on('/lure', (_request, res) => sendJson(res, [], 200, { link: `<${other.url}/lure>; rel=next` }));
    const { report } = await get('/lure', { pagination: { by: 'link', items: '$', maxPages: 5 } });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
    expect(other.to('/lure')).toEqual([]);
  });

  it('never takes its credentials to a next page on another host that a redirect led to', async () => {
    service.on('/away', (_request, res) => res.writeHead(302, { location: `${other.url}/there` }).end());
    other.on('/there', (_request, res) => sendJson(res, { items: [1], next: 2 }, 200, { link: '</there>; rel=next' }));
    const connections = connectionOf({ extra: { token: 't0k3n' } });
    const pages = { items: '$.items', maxPages: 5 };
    for (const pagination of [
      { ...pages, by: 'link' as const },
      { ...pages, by: 'cursor' as const, cursor: '$.next', parameter: 'page' },
    ]) {
      const { report } = await http({ connection: 'api', path: '/away', pagination }, { connections });
      expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
      expect(report.message).toContain('The next page lies on another host');
    }
    expect(other.to('/there').map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  it('takes pages of any number of items', async () => {
    service.on('/many', (_request, res) => sendJson(res, Array(200_000).fill(1)));
    const { report, files } = await get('/many', { pagination: { by: 'link', items: '$', maxPages: 5 } });
    expect(report).toMatchObject({ outcome: 'success', cause: 'ok' });
    expect(files?.['return_value']).toMatchObject({ bytes: 400_001 });
  });

  it('logs what it asked and what came, without secrets', async () => {
    const { lines } = await get('/orders?api_key=hunter2&page=1');
    expect(lines[0]).toBe(`o GET ${service.url}/orders?api_key=***&page=1`);
    expect(lines[1]).toMatch(/^o → 200, \d+ bytes of application\/json \(\d+ ms\)$/);
  });

  it('leaves a large answer in the store of large results', async () => {
    service.on('/large', (_request, res) => sendJson(res, 'x'.repeat(300_000)));
    const { report, files } = await get('/large');
    expect(report).toMatchObject({ outcome: 'success', cause: 'ok' });
    expect(files?.['return_value']).toMatchObject({ bytes: 300_002 });
  });

  it('refuses an address that is not HTTP, and fails at a template that cannot be rendered', async () => {
    expect((await http({ url: 'file:///etc/passwd' })).report).toMatchObject({ outcome: 'failed', retryable: false });
    expect((await http({ url: '{{ params.nowhere }}' })).report).toMatchObject({ cause: 'template_error' });
  });
});

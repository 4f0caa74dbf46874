import { describe, expect, it } from 'vitest';
import { parseJsonPath, valueAt } from '#sdk/json-path.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { dag, type Json } from '#sdk/index.ts';

const issuesOf = (task: object): string[] => {
  const result = validateDagSpec({ dagId: 'd', tasks: [{ taskId: 't', ...task }] });
  return result.ok ? [] : result.issues.map(({ path, message }) => `${path}: ${message}`);
};
const taskOf = (task: object) => {
  const result = validateDagSpec({ dagId: 'd', tasks: [{ taskId: 't', ...task }] });
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.spec.tasks[0];
};

describe('the spec of http tasks', () => {
  it('writes all defaults out', () => {
    expect(taskOf({ kind: 'http', url: 'https://x' })).toMatchObject({
      method: 'GET',
      url: 'https://x',
      connection: null,
      path: null,
      headers: {},
      query: {},
      json: null,
      form: null,
      body: null,
      timeout: 60,
      requestRetries: 3,
      requestRetryDelay: 1,
      retryOn: ['429', '5xx'],
      retryUnsafe: false,
      maxRedirects: 5,
      verifyTls: true,
      expect: { status: ['2xx'], json: {}, bodyMatches: null },
      result: 'auto',
      pagination: null,
    });
  });

  it('reads the friendly forms', () => {
    const task = {
      kind: 'http',
      url: 'https://x',
      timeout: '5m',
      retryOn: 503,
      expect: { status: [200, '4XX'], json: { '$.a': 'b', '$.n': null, '$.c': { matches: '^x' } } },
      pagination: { by: 'link' },
    };
    expect(taskOf(task)).toMatchObject({
      timeout: 300,
      retryOn: ['503'],
      expect: {
        status: ['200', '4xx'],
        json: { '$.a': { equals: 'b' }, '$.n': { equals: null }, '$.c': { matches: '^x' } },
        bodyMatches: null,
      },
      pagination: { by: 'link', items: '$', maxPages: 100, cursor: null, parameter: null },
    });
  });

  it.each<[object, string]>([
    [{}, `tasks[0]: An http task has either 'url' or 'connection'`],
    [{ url: 'x', connection: 'y' }, `tasks[0]: An http task has either 'url' or 'connection'`],
    [{ url: 'x', path: 'y' }, `tasks[0].path: 'path' goes with 'connection'`],
    [{ url: 'x', method: 'POST', json: {}, body: 'x' }, 'tasks[0]: Only one of json and body can be sent.'],
    [{ url: 'x', json: {} }, 'tasks[0].json: A GET request has no body.'],
    [{ url: 'x', method: 'FETCH' }, `tasks[0].method: 'FETCH' is not one of GET`],
    [{ url: 'x', expect: { status: 'ok' } }, `tasks[0].expect.status[0]: 'ok' is not a status.`],
    [{ url: 'x', expect: { json: { a: 1 } } }, `tasks[0].expect.json.a: 'a' is not a path. It must start with '$'`],
    [{ url: 'x', expect: { json: { '$.a': { like: 1 } } } }, 'tasks[0].expect.json.$.a: an object is no expectation.'],
    [{ url: 'x', expect: { bodyMatches: '(' } }, `tasks[0].expect.bodyMatches: '(' is not a regular expression.`],
    [{ url: 'x', result: { path: '$.a b' } }, `tasks[0].result.path: '$.a b' is not a path. ' b' cannot be read.`],
    [{ url: 'x', pagination: { by: 'cursor' } }, `tasks[0].pagination: Paging by cursor needs 'cursor'`],
    [{ url: 'x', headers: { 'bad name': 'x' } }, 'tasks[0].headers.bad name: '],
    [{ url: 'x', retrys: 1 }, `tasks[0].retrys: Unknown key 'retrys'.`],
  ])('says what is wrong with %j', (task, message) => {
    expect(issuesOf({ kind: 'http', ...task }).join('\n')).toContain(message);
  });
});

describe('the spec of sql tasks', () => {
  it('writes all defaults out', () => {
    expect(taskOf({ kind: 'sql', connection: 'db', sql: 'select 1' })).toMatchObject({
      sql: ['select 1'],
      file: null,
      parameters: [],
      autocommit: false,
      result: 'rows',
      maxRows: 10_000,
      load: null,
      unload: null,
    });
    expect(taskOf({ kind: 'sql', connection: 'db', load: { file: 'x.csv', table: 't' } })).toMatchObject({
      load: { file: 'x.csv', input: null, table: 't', format: 'csv', columns: null, delimiter: ',', nullText: '' },
    });
  });

  it.each<[object, string]>([
    [{ sql: 'select 1' }, `tasks[0].connection: 'connection' is missing.`],
    [{ connection: 'db' }, `tasks[0]: An sql task needs 'sql', 'file' or 'load'`],
    [{ connection: 'db', file: '../x.sql' }, `tasks[0].file: '../x.sql' is not relative to the DAG file.`],
    [{ connection: 'db', sql: 'x', parameters: 5 }, 'tasks[0].parameters: 5 is neither a list ($1, $2) nor an object'],
    [{ connection: 'db', load: { table: 't' } }, `tasks[0].load: A load has either 'file' (of the bundle) or 'input'`],
    [
      { connection: 'db', load: { table: 't', input: 'rows' } },
      `tasks[0].load.input: 'rows' is none of the task's inputs.`,
    ],
    [{ connection: 'db', load: { file: 'x' } }, `tasks[0].load.table: 'table' is missing.`],
    [{ connection: 'db', load: { file: 'x', table: 't', delimiter: '"' } }, `tasks[0].load.delimiter: '"' is not a`],
    [{ connection: 'db', load: { file: 'x', table: 't' }, unload: { path: '/x' } }, 'tasks[0].unload: There is no'],
  ])('says what is wrong with %j', (task, message) => {
    expect(issuesOf({ kind: 'sql', ...task }).join('\n')).toContain(message);
  });
});

describe('dag()', () => {
  it('makes http and sql tasks that read each other', () => {
    const made = dag('d', {}, ({ http, sql }) => {
      const orders = http<{ id: number }[]>('orders', {
        connection: 'api',
        path: 'orders',
        result: { path: '$.items' },
      });
      const count = sql('store', {
        connection: 'db',
        inputs: { orders },
        load: { input: 'orders', table: 'orders' },
        result: 'count',
      });
      sql('log', { connection: 'db', inputs: { count }, sql: 'insert into log values (:n)', parameters: { n: 1 } });
    });
    const result = validateDagSpec(made.spec);
    if (!result.ok) throw new Error(JSON.stringify(result.issues));
    expect(result.spec.tasks.map(({ taskId, kind, upstream }) => [taskId, kind, upstream])).toEqual([
      ['orders', 'http', []],
      ['store', 'sql', ['orders']],
      ['log', 'sql', ['store']],
    ]);
  });
});

describe('a path into JSON', () => {
  const json: Json = { a: [{ b: 1, 'c d': "it's" }, { b: 2 }, {}], n: null };
  const at = (path: string) => {
    const parsed = parseJsonPath(path);
    return typeof parsed === 'string' ? parsed : valueAt(json, parsed);
  };
  it.each([
    ['$', json],
    ['$.a[0].b', 1],
    ['$.a[-1]', {}],
    ['$.a[*].b', [1, 2]],
    [`$.a[0]['c d']`, "it's"],
    [`$["n"]`, null],
    ['$.a[9].b', undefined],
    ['$.n.x', undefined],
    ['$.a.b', undefined],
    ['$.__proto__', undefined],
    ['a', "It must start with '$', which is the whole answer."],
    ['$..a', "'..a' cannot be read. Write .name, [0], [*] or ['odd name']."],
  ])('%s', (path, value) => {
    expect(at(path)).toEqual(value);
  });
});

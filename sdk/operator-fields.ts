/** Readers of the fields of `http` and `sql` tasks. */
import { HTTP_METHODS, SQL_FORMATS, SQL_RESULTS, type HttpExpectation, type JsonExpectation } from './operator-spec.ts';
import { parseJsonPath } from './json-path.ts';
import type { Json } from './protocol.ts';
import {
  boolean,
  createFieldsReader,
  duration,
  fieldsSchema,
  id,
  integer,
  isPlainObject,
  json,
  oneOf,
  orNull,
  record,
  show,
  text,
  textList,
  type Field,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';

const LONG = 262_144;
const ANY_NAME = /^[^\0]{1,1000}$/;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$/;
const STATUS = /^[1-5](\d\d|xx)$/;

/** An object with fields of its own; null where it may be absent. */
function group<T>(fields: Fields, absent: 'null' | 'defaults'): Field<T> {
  const read = createFieldsReader(fields);
  const schema = fieldsSchema(fields);
  return {
    schema: absent === 'null' ? { anyOf: [schema, { type: 'null' }] } : schema,
    fallback: () => (absent === 'null' ? null : read({}, '', () => undefined)) as T,
    read(value, path, report) {
      if (absent === 'null' && value === null) return null as T;
      if (isPlainObject(value)) return read(value, path(), report) as T;
      report(path(), `${show(value)} is not an object with ${Object.keys(fields).join(', ')}.`);
      return read({}, '', () => undefined) as T;
    },
  };
}

/** `200`, `[200, 404]`, `'2xx'`. */
const statuses = (fallback: string[]): Field<string[]> => ({
  schema: {
    anyOf: [
      { type: ['integer', 'string'] },
      { type: 'array', items: { type: ['integer', 'string'] }, minItems: 1, maxItems: 50 },
    ],
  },
  fallback: () => [...fallback],
  read(value, path, report) {
    const list = Array.isArray(value) ? (value as unknown[]) : [value];
    if (list.length > 50) report(path(), `${list.length} statuses; at most 50 are allowed.`);
    return list.map((item, index) => {
      const status = String(item).toLowerCase();
      if (!STATUS.test(status))
        report(`${path()}[${index}]`, `${show(item)} is not a status. Write 200, or '2xx' for all of a class.`);
      return status;
    });
  },
});

const jsonPath: Field<string> = {
  schema: { type: 'string', maxLength: 1000, pattern: '^\\$' },
  read(value, path, report) {
    const problem =
      typeof value === 'string' && value.length <= 1000 ? problemOf(value) : 'Write where to look: $.items[0].id.';
    if (problem) report(path(), `${show(value)} is not a path. ${problem}`);
    return String(value);
  },
};

function problemOf(path: string): string | null {
  const parsed = parseJsonPath(path);
  return typeof parsed === 'string' ? parsed : null;
}

const EXPECTATIONS = ['equals', 'matches', 'exists'];

/** A value alone stands for `{ equals: value }`. */
const expectation: Field<JsonExpectation> = {
  schema: {
    anyOf: [
      { type: ['string', 'number', 'boolean', 'null'] },
      { type: 'object', properties: { equals: {} }, required: ['equals'], additionalProperties: false },
      {
        type: 'object',
        properties: { matches: { type: 'string' } },
        required: ['matches'],
        additionalProperties: false,
      },
      {
        type: 'object',
        properties: { exists: { type: 'boolean' } },
        required: ['exists'],
        additionalProperties: false,
      },
    ],
  },
  read(value, path, report) {
    if (!isPlainObject(value) && !Array.isArray(value)) return { equals: json.read(value, path, report) };
    const [name = '', ...more] = isPlainObject(value) ? Object.keys(value) : [];
    const given = (value as Plain)[name];
    const isRight =
      more.length === 0 &&
      EXPECTATIONS.includes(name) &&
      (name !== 'exists' || typeof given === 'boolean') &&
      (name !== 'matches' || (typeof given === 'string' && regexProblem(given) === null));
    if (!isRight)
      report(
        path(),
        `${show(value)} is no expectation. Write a value, { equals }, { matches: 'regex' } or { exists }.`,
      );
    return (name === 'equals' ? { equals: json.read(given, path, report) } : value) as JsonExpectation;
  },
};

/** Null: it is one. A template is looked at when it is rendered. */
function regexProblem(source: string): string | null {
  if (source.includes('{{') || source.includes('{%')) return null;
  try {
    new RegExp(source, 'u');
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const regex: Field<string | null> = {
  schema: { anyOf: [{ type: 'string', maxLength: 10_000 }, { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    const problem = typeof value === 'string' ? regexProblem(value) : 'It must be a text.';
    if (problem) report(path(), `${show(value)} is not a regular expression. ${problem}`);
    return String(value);
  },
};

const result: Field = {
  schema: {
    anyOf: [
      { enum: ['auto', 'json', 'text', 'status', 'headers', 'none'] },
      { type: 'object', properties: { path: jsonPath.schema }, required: ['path'], additionalProperties: false },
    ],
  },
  fallback: () => 'auto',
  read(value, path, report) {
    if (isPlainObject(value) && Object.keys(value).length === 1 && 'path' in value)
      return { path: jsonPath.read(value['path'], () => `${path()}.path`, report) };
    return oneOf(['auto', 'json', 'text', 'status', 'headers', 'none']).read(value, path, report);
  },
};

const PAGES: Fields = {
  by: oneOf(['link', 'cursor']),
  cursor: { ...jsonPath, fallback: () => null },
  parameter: text(200).or(null),
  items: { ...jsonPath, fallback: () => '$' },
  maxPages: integer(1, 10_000).or(100),
};

const query: Field = record(ANY_NAME, json);

export const HTTP_FIELDS: Fields = {
  method: oneOf(HTTP_METHODS).or('GET'),
  url: text(8_000).or(null),
  connection: orNull(id),
  path: text(8_000).or(null),
  headers: record(HEADER_NAME, text(8_000), 100),
  query,
  json: { ...json, fallback: () => null },
  form: orNull(record(ANY_NAME, text(LONG))),
  body: text(LONG).or(null),
  timeout: duration(0.001).or(60),
  requestRetries: integer(0, 100).or(3),
  requestRetryDelay: duration(0).or(1),
  retryOn: statuses(['429', '5xx']),
  retryUnsafe: boolean.or(false),
  maxRedirects: integer(0, 20).or(5),
  verifyTls: boolean.or(true),
  expect: group<HttpExpectation>(
    {
      status: statuses(['2xx']),
      json: withPaths(record(ANY_NAME, expectation, 100)),
      bodyMatches: regex,
    },
    'defaults',
  ),
  result,
  pagination: group(PAGES, 'null'),
};

function withPaths(field: Field<{ [path: string]: JsonExpectation }>): Field<{ [path: string]: JsonExpectation }> {
  return {
    ...field,
    read(value, path, report) {
      const read = field.read(value, path, report);
      for (const key of Object.keys(read)) jsonPath.read(key, () => `${path()}.${key}`, report);
      return read;
    },
  };
}

export function checkHttp(task: Plain, path: string, report: Report): void {
  const has = (name: string) => task[name] !== null;
  if (has('url') === has('connection'))
    report(path, `An http task has either 'url' or 'connection' (with 'path' below it).`);
  if (has('url') && has('path')) report(`${path}.path`, `'path' goes with 'connection'; write it into 'url'.`);
  const bodies = ['json', 'form', 'body'].filter(has);
  if (bodies.length > 1) report(path, `Only one of ${bodies.join(' and ')} can be sent.`);
  if (bodies.length > 0 && ['GET', 'HEAD'].includes(String(task['method'])))
    report(`${path}.${bodies[0]}`, `A ${String(task['method'])} request has no body. Say another 'method'.`);
  const pages = task['pagination'] as Plain | null;
  if (pages?.['by'] === 'cursor' && (pages['cursor'] === null || pages['parameter'] === null))
    report(`${path}.pagination`, `Paging by cursor needs 'cursor' (a path) and 'parameter' (of the query).`);
}

/** `[1, 'a']` for `$1`, `$2`; `{ day: '…' }` for `:day`. */
const parameters: Field<Json[] | { [name: string]: Json }> = {
  schema: { anyOf: [{ type: 'array', maxItems: 1000 }, { type: 'object' }] },
  fallback: () => [],
  read(value, path, report) {
    const read = json.read(value, path, report);
    if (Array.isArray(read)) return read;
    if (isPlainObject(read)) return record(/^[A-Za-z_]\w{0,199}$/, json).read(read, path, report);
    report(path(), `${show(value)} is neither a list ($1, $2) nor an object (:name).`);
    return [];
  },
};

const LOAD: Fields = {
  file: text(1000).or(null),
  input: text(200).or(null),
  table: text(300),
  format: oneOf(SQL_FORMATS).or('csv'),
  columns: orNull(record(ANY_NAME, text(1000))),
  delimiter: text(1).or(','),
  nullText: text(100).or(''),
};

export const SQL_FIELDS: Fields = {
  connection: id,
  sql: textList(text(LONG), 1000),
  file: text(1000).or(null),
  parameters,
  autocommit: boolean.or(false),
  result: oneOf(SQL_RESULTS).or('rows'),
  maxRows: integer(1, 10_000_000).or(10_000),
  load: group(LOAD, 'null'),
  unload: group({ path: text(4_000), format: oneOf(SQL_FORMATS).or('csv') }, 'null'),
};

const OUTSIDE = /^[/\\]|(^|[/\\])\.\.([/\\]|$)|\0/;

export function checkSql(task: Plain, path: string, report: Report): void {
  const { sql, file, inputs } = task as { sql: string[]; file: string | null; inputs: Plain };
  const load = task['load'] as { file: string | null; input: string | null; delimiter: string } | null;
  if (sql.length === 0 && file === null && load === null)
    report(path, `An sql task needs 'sql', 'file' or 'load': it has nothing to do.`);
  if (file !== null && OUTSIDE.test(file)) report(`${path}.file`, `${show(file)} is not relative to the DAG file.`);
  if (task['unload'] !== null && sql.length === 0 && file === null)
    report(`${path}.unload`, `There is no statement whose rows could be written.`);
  if (!load) return;
  if ((load.file === null) === (load.input === null))
    report(`${path}.load`, `A load has either 'file' (of the bundle) or 'input' (the name of an input).`);
  if (load.file !== null && OUTSIDE.test(load.file))
    report(`${path}.load.file`, `${show(load.file)} is not relative to the DAG file.`);
  if (load.input !== null && !Object.hasOwn(inputs, load.input))
    report(`${path}.load.input`, `${show(load.input)} is none of the task's inputs.`);
  if (load.delimiter.length !== 1 || /["\r\n]/.test(load.delimiter))
    report(`${path}.load.delimiter`, `${show(load.delimiter)} is not a single character such as ',' or ';'.`);
}

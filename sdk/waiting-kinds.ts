/** The kinds of task that wait: readers of their fields. */
import { checkPython, PYTHON_FIELDS, type KindOf } from './code-fields.ts';
import { paramsSchemaIssues } from './params.ts';
import type { Json } from './protocol.ts';
import { RUN_STATES, TASK_STATES } from './states.ts';
import { EXECUTOR_FIELDS } from './kubernetes-fields.ts';
import { checkExecutor } from './kubernetes-kinds.ts';
import { anyQueue, settledByService, systemQueue } from './system-queue.ts';
import {
  boolean,
  createFieldsReader,
  duration,
  fieldsSchema,
  id,
  integer,
  isPlainObject,
  json,
  list,
  number,
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
import { POKE_ERRORS, SENSOR_MODES, WHEN_EXISTS } from './waiting-spec.ts';

const LONG = 262_144;
const ANY_NAME = /^[^\0]{1,1000}$/;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$/;
const WEEK = 7 * 86_400;

const STATUS = /^[1-5](\d\d|xx)$/;
const statuses = (fallback: string[]): Field<string[]> => ({
  schema: {
    anyOf: [{ type: ['integer', 'string'] }, { type: 'array', items: { type: ['integer', 'string'] }, maxItems: 50 }],
  },
  fallback: () => [...fallback],
  read(value, path, report) {
    const list = (Array.isArray(value) ? (value as unknown[]) : [value]).map((item) => String(item).toLowerCase());
    for (const [index, status] of list.entries())
      if (!STATUS.test(status) || index >= 50)
        report(`${path()}[${index}]`, `${show(status)} is not a status. Write 200, or '2xx' for all of a class.`);
    return list;
  },
});

/** Seconds before or after: `'1h'`, `-3600`. */
const signedDuration: Field<number> = {
  schema: { anyOf: [{ type: 'number' }, { type: 'string', pattern: '^-?(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d|w)|P.+)$' }] },
  fallback: () => 0,
  read(value, path, report) {
    if (typeof value === 'number' && value < 0) return -duration(0).read(-value, path, report);
    if (typeof value === 'string' && value.startsWith('-')) return -duration(0).read(value.slice(1), path, report);
    return duration(0).read(value, path, report);
  },
};

/** An object with fields of its own; a text alone is its first field. */
function group(fields: Fields): Field {
  const read = createFieldsReader(fields);
  const [first = ''] = Object.keys(fields);
  return {
    schema: fieldsSchema(fields),
    read(value, path, report) {
      if (typeof value === 'string') return read({ [first]: value }, path(), report);
      if (isPlainObject(value)) return read(value, path(), report);
      report(path(), `${show(value)} is not an object with ${Object.keys(fields).join(', ')}.`);
      return read({ [first]: '' }, '', () => undefined);
    },
  };
}

const states = (fallback: string[]) => ({
  ...textList(oneOf([...new Set([...TASK_STATES, ...RUN_STATES])]), 20),
  fallback: () => [...fallback],
});
const runStates = (fallback: string[]) => ({ ...textList(oneOf(RUN_STATES), 5), fallback: () => [...fallback] });

const TARGETS: { [name: string]: Field } = {
  time: text(1000),
  delta: duration(0),
  file: group({ path: text(4_000), minBytes: integer(0, 2 ** 50).or(0), unchangedFor: duration(0).or(0) }),
  http: group({
    url: text(8_000).or(null),
    connection: orNull(id),
    path: text(8_000).or(null),
    method: oneOf(['GET', 'HEAD', 'POST']).or('GET'),
    headers: record(HEADER_NAME, text(8_000), 100),
    body: text(LONG).or(null),
    status: statuses(['2xx']),
    failStatus: statuses([]),
    contains: text(10_000).or(null),
    json: record(ANY_NAME, json, 100),
  }),
  sql: group({
    connection: id,
    query: text(LONG),
    parameters: list(json, 1000),
  }),
  task: group({
    dagId: text(200),
    taskIds: textList(text(200), 1000),
    delta: signedDuration,
    at: text(1000).or(null),
    allowedStates: states(['success']),
    failedStates: states([]),
    skippedStates: states([]),
    checkExistence: boolean.or(false),
  }),
  asset: group({ name: text(300), since: text(1000).or(null) }),
  typescript: {
    schema: { const: true },
    read: (value, path, report) => value === true || report(path(), `${show(value)} is not true.`),
  },
  python: group(PYTHON_FIELDS),
};
/** The service itself can look for these. */
const DEFERRABLE = new Set(['time', 'delta', 'http', 'sql', 'task', 'asset']);
/** A worker cannot look for these: it has no database. */
const ONLY_DEFERRED = new Set(['task', 'asset']);

const target: Field<Plain> = {
  schema: {
    anyOf: Object.entries(TARGETS).map(([name, field]) => ({
      type: 'object',
      properties: { [name]: field.schema },
      required: [name],
      additionalProperties: false,
    })),
  },
  read(value, path, report) {
    const names = isPlainObject(value) ? Object.keys(value) : [];
    const [name = ''] = names;
    const field = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
    if (isPlainObject(value) && names.length === 1 && field)
      return { [name]: field.read(value[name], () => `${path()}.${name}`, report) };
    report(
      path(),
      `${isPlainObject(value) && names.length > 0 ? `'${names.join("' and '")}'` : show(value)} is not what a sensor waits for. Give one of ${Object.keys(TARGETS).join(', ')}.`,
    );
    return {};
  },
};

function checkSensor(task: Plain, path: string, report: Report): void {
  const [name = '', value] = Object.entries((task['for'] ?? {}) as Plain)[0] ?? [];
  const canDefer = DEFERRABLE.has(name);
  task['mode'] ??= canDefer ? 'deferred' : 'reschedule';
  if (task['mode'] === 'deferred' && !canDefer)
    report(`${path}.mode`, `A worker must look for '${name}': the mode is 'reschedule' or 'poke'.`);
  if (task['mode'] !== 'deferred' && ONLY_DEFERRED.has(name))
    report(`${path}.mode`, `Only the service can look for '${name}': the mode is 'deferred'.`);
  checkExecutor(task, path, report);
  if (task['mode'] === 'deferred') settledByService(task);
  if (!isPlainObject(value)) return;
  if (name === 'http' && (value['url'] === null) === (value['connection'] === null))
    report(`${path}.for.http`, `It has either 'url' or 'connection' (with 'path' below it).`);
  if (name === 'python') checkPython('It', value, `${path}.for.python`, report);
  // So that the dispatch carries it
  if (typeof value['connection'] === 'string' && Array.isArray(task['connections']))
    task['connections'] = [...new Set([...(task['connections'] as string[]), value['connection']])];
}

function checkApproval(task: Plain, path: string, report: Report): void {
  settledByService(task);
  const options = task['options'] as string[];
  if (options.length === 0 || new Set(options).size < options.length)
    report(`${path}.options`, 'An approval has at least one option, and each only once.');
  for (const [index, option] of (task['rejections'] as string[]).entries())
    if (!options.includes(option)) report(`${path}.rejections[${index}]`, `${show(option)} is none of the options.`);
  if (task['default'] !== null && !options.includes(String(task['default'])))
    report(`${path}.default`, `${show(task['default'])} is none of the options.`);
  if (task['default'] !== null && task['timeout'] === null)
    report(`${path}.default`, `It is only taken when the time is over: give a 'timeout'.`);
  for (const option of Object.keys(task['branches'] as object))
    if (!options.includes(option)) report(`${path}.branches.${option}`, `${show(option)} is none of the options.`);
  const schema = task['form'] as { [key: string]: Json } | null;
  for (const issue of schema ? paramsSchemaIssues(schema, false) : [])
    report(`${path}.form${issue.path}`, issue.message);
}

const form: Field = {
  schema: {
    anyOf: [{ type: 'object', properties: { type: { const: 'object' } }, required: ['type'] }, { type: 'null' }],
  },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    if (isPlainObject(value) && value['type'] === 'object') return json.read(value, path, report);
    report(path(), `${show(value)} is not the JSON Schema of an object. Write { type: 'object', properties: … }.`);
    return null;
  },
};

export const WAITING_KINDS: { [Kind in 'sensor' | 'trigger_dag' | 'approval']: KindOf } = {
  sensor: {
    summary: 'Waits until something is there.',
    fields: {
      queue: anyQueue,
      ...EXECUTOR_FIELDS,
      for: target,
      mode: oneOf(SENSOR_MODES).or(null),
      pokeInterval: duration(0.1).or(60),
      pokeBackoff: number(1, 100).or(1),
      maxWait: duration(0.1).or(3600),
      timeout: duration(0).or(WEEK),
      softFail: boolean.or(false),
      pokeError: oneOf(POKE_ERRORS).or('fail'),
    },
    check: checkSensor,
  },
  trigger_dag: {
    summary: 'Starts a run of a DAG, and may wait for its end.',
    fields: {
      queue: systemQueue,
      dagId: text(1000),
      conf: record(ANY_NAME, json),
      runKey: text(1000).or(null),
      logicalDate: text(1000).or(null),
      whenExists: oneOf(WHEN_EXISTS).or('error'),
      wait: boolean.or(false),
      allowedStates: runStates(['success']),
      failedStates: runStates(['failed', 'cancelled']),
      pokeInterval: duration(0.1).or(60),
      timeout: duration(0).or(null),
      cancelChild: boolean.or(false),
    },
    check: settledByService,
  },
  approval: {
    summary: 'Waits for a person: to approve, to reject, to fill a form.',
    fields: {
      queue: systemQueue,
      subject: text(1000),
      body: text(65_536).or(null),
      options: { ...textList(text(200), 20), fallback: () => ['approve', 'reject'] },
      rejections: { ...textList(text(200), 20), fallback: () => ['reject'] },
      form,
      users: textList(text(200), 1000),
      roles: textList(oneOf(['editor', 'admin']), 2),
      timeout: duration(0).or(null),
      default: text(200).or(null),
      onReject: oneOf(['fail', 'skip']).or('fail'),
      branches: record(ANY_NAME, textList(text(200), 1000)),
    },
    check: checkApproval,
  },
};

/** The kinds of task: what each may say. A new kind is a type in dag-spec.ts and an entry here. */
import { TRIGGER_RULES, type TaskKind } from './dag-spec.ts';
import { retryRules } from './retry-rules.ts';
import {
  bytes,
  duration,
  id,
  integer,
  json,
  NAME_PATTERN,
  number,
  oneOf,
  record,
  show,
  isPlainObject,
  text,
  textList,
  type Field,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';

const ANY_KEY = /^[^\0]{1,200}$/;
const PYTHON_CALLABLE = /^(?!\/)(?!.*\.\.)[^:\\\0]+\.py:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/** `'extract'` stands for `{ task: 'extract', key: 'return_value' }`. */
const input: Field<{ task: string; key: string }> = {
  schema: {
    anyOf: [
      id.schema,
      {
        type: 'object',
        properties: { task: id.schema, key: { type: 'string', maxLength: 200, default: 'return_value' } },
        required: ['task'],
        additionalProperties: false,
      },
    ],
  },
  read(value, path, report) {
    if (typeof value === 'string') return { task: value, key: 'return_value' };
    if (isPlainObject(value) && typeof value['task'] === 'string') {
      const { task, key = 'return_value', ...unknown } = value;
      if (typeof key !== 'string' || !ANY_KEY.test(key)) report(`${path()}.key`, `${show(key)} is not an XCom key.`);
      for (const name of Object.keys(unknown))
        report(`${path()}.${name}`, `Unknown key '${name}'. An input has 'task' and 'key'.`);
      return { task, key: String(key) };
    }
    report(path(), `${show(value)} is not an input. Name a task, or { task, key }.`);
    return { task: '', key: '' };
  },
};

/** Fields that `defaults` of a DAG may preset. */
const presettable = {
  triggerRule: oneOf(TRIGGER_RULES).or('all_success'),
  retries: integer(0, 1000).or(0),
  retryDelay: duration(0).or(300),
  retryBackoff: number(1, 100).or(1),
  maxRetryDelay: duration(0).or(null),
  retryRules,
  infraRetries: integer(0, 1000).or(3),
  executionTimeout: duration(0.001).or(null),
  queue: id.or('default'),
  priority: integer(-1_000_000, 1_000_000).or(1),
  memoryLimit: bytes.or(null),
  owner: text(200).or(null),
} satisfies Fields;
export const PRESETTABLE: Fields = presettable;

const { owner, ...common } = presettable;
const BASE: Fields = {
  taskId: id,
  kind: text(100),
  upstream: textList(text(200), 10_000),
  ...common,
  owner,
  docs: text(65_536).or(null),
  inputs: record(NAME_PATTERN, input),
  variables: textList(id, 100),
  connections: textList(id, 100),
};

interface KindOf {
  summary: string;
  fields: Fields;
  /** What no single field can tell. */
  check?(task: Plain, path: string, report: Report): void;
}

const KINDS: { [Kind in TaskKind]: KindOf } = {
  empty: { summary: 'Does nothing: a place where edges meet.', fields: {} },
  bash: {
    summary: 'A shell command.',
    fields: {
      command: text(262_144),
      env: record(NAME_PATTERN, text(131_072)),
      // 99 is what Airflow's users exit with to skip.
      skipOnExitCode: { ...integer(1, 255).or(null), fallback: () => 99 },
    },
  },
  python: {
    summary: 'A Python function of a file beside the DAG, or inline source.',
    fields: { callable: text(1000).or(null), source: text(262_144).or(null), args: record(ANY_KEY, json) },
    check(task, path, report) {
      if ((task['callable'] === null) === (task['source'] === null))
        report(path, `A python task has either 'callable' ('file.py:function') or 'source'.`);
      else if (typeof task['callable'] === 'string' && !PYTHON_CALLABLE.test(task['callable']))
        report(`${path}.callable`, `${show(task['callable'])} is not 'file.py:function', relative to the DAG file.`);
    },
  },
  typescript: { summary: 'A function of a TypeScript DAG file.', fields: {} },
};

export const KIND_NAMES: string[] = Object.keys(KINDS);

const complete = new Map<string, { summary: string; fields: Fields; check?: KindOf['check'] }>(
  Object.entries(KINDS).map(([name, kind]) => [name, { ...kind, fields: { ...BASE, ...kind.fields } }]),
);

/** All fields of a kind, the common ones first. */
export const kindOf = (name: unknown) => (typeof name === 'string' ? complete.get(name) : undefined);

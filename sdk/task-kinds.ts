/** The kinds of task: what each may say. A new kind is a type in dag-spec.ts and an entry here. */
import { assetName } from './asset-expression.ts';
import { ANY_KEY, checkPython, PYTHON_FIELDS, type KindOf } from './code-fields.ts';
import { TRIGGER_RULES, WEIGHT_RULES, type TaskInput, type TaskKind } from './dag-spec.ts';
import { concurrencyKey, rateLimit } from './limit-fields.ts';
import { taskNotify } from './notify.ts';
import { EXECUTOR_FIELDS } from './kubernetes-fields.ts';
import { KUBERNETES_KINDS_OF_TASK, withExecutor } from './kubernetes-kinds.ts';
import { retryRules } from './retry-rules.ts';
import { FLOW_KINDS } from './flow-kinds.ts';
import { groupId } from './group-fields.ts';
import { map } from './map-fields.ts';
import { edgeLabels, teardown } from './setup-fields.ts';
import { checkHttp, checkSql, HTTP_FIELDS, SQL_FIELDS } from './operator-fields.ts';
import {
  boolean,
  bytes,
  duration,
  id,
  integer,
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
} from './spec-fields.ts';
import { WAITING_KINDS } from './waiting-kinds.ts';

/** `'extract'` stands for `{ task: 'extract', key: 'return_value' }`. */
const input: Field<TaskInput> = {
  schema: {
    anyOf: [
      id.schema,
      {
        type: 'object',
        properties: {
          task: id.schema,
          key: { type: 'string', maxLength: 200, default: 'return_value' },
          list: { const: true },
        },
        required: ['task'],
        additionalProperties: false,
      },
    ],
  },
  read(value, path, report) {
    if (typeof value === 'string') return { task: value, key: 'return_value' };
    if (isPlainObject(value) && typeof value['task'] === 'string') {
      // `list` is found out anew
      const { task, key = 'return_value', list: _list, ...unknown } = value;
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
  weightRule: oneOf(WEIGHT_RULES).or('absolute'),
  pool: id.or(null),
  poolSlots: integer(1, 1_000_000).or(1),
  maxActiveTis: integer(1, 1_000_000).or(null),
  maxActiveTisPerRun: integer(1, 1_000_000).or(null),
  concurrencyKey,
  rateLimit,
  memoryLimit: bytes.or(null),
  owner: text(200).or(null),
} satisfies Fields;
/** Those of the executor are for tasks with code alone. */
export const PRESETTABLE: Fields = { ...presettable, ...EXECUTOR_FIELDS };

const { owner, ...common } = presettable;
const BASE: Fields = {
  taskId: id,
  kind: text(100),
  upstream: textList(text(200), 10_000),
  ...common,
  owner,
  docs: text(65_536).or(null),
  notify: taskNotify,
  inputs: record(NAME_PATTERN, input),
  variables: textList(id, 100),
  connections: textList(id, 100),
  outlets: {
    ...textList(assetName, 100),
    read: (value, path, report) => [...new Set(textList(assetName, 100).read(value, path, report))],
  },
  group: groupId.or(null),
  map,
  setup: boolean.or(false),
  teardown,
  edgeLabels,
  displayName: text(200).or(null),
};

const KINDS: { [Kind in TaskKind]: KindOf } = {
  empty: {
    summary: 'Does nothing: a place where edges meet.',
    fields: {},
    unmappable: 'it does nothing',
  },
  bash: withExecutor({
    summary: 'A shell command.',
    fields: {
      command: text(262_144),
      env: record(NAME_PATTERN, text(131_072)),
      // 99 is what Airflow's users exit with to skip.
      skipOnExitCode: { ...integer(1, 255).or(null), fallback: () => 99 },
    },
  }),
  python: withExecutor({
    summary: 'A Python function of a file beside the DAG, or inline source.',
    fields: PYTHON_FIELDS,
    check: (task, path, report) => checkPython('A python task', task, path, report),
  }),
  typescript: withExecutor({ summary: 'A function of a TypeScript DAG file.', fields: {} }),
  ...FLOW_KINDS,
  http: withExecutor({ summary: 'A request to an HTTP service.', fields: HTTP_FIELDS, check: checkHttp }),
  sql: withExecutor({ summary: 'Statements for a database.', fields: SQL_FIELDS, check: checkSql }),
  ...KUBERNETES_KINDS_OF_TASK,
  ...WAITING_KINDS,
};

export const KIND_NAMES: string[] = Object.keys(KINDS);

/** Those that people may write. */
export const WRITTEN_KINDS: string[] = KIND_NAMES.filter((name) => !KINDS[name as TaskKind].internal);

const complete = new Map<string, KindOf>(
  Object.entries(KINDS).map(([name, kind]) => [name, { ...kind, fields: { ...BASE, ...kind.fields } }]),
);

/** All fields of a kind, the common ones first. */
export const kindOf = (name: unknown) => (typeof name === 'string' ? complete.get(name) : undefined);

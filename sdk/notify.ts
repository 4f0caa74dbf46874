/** Who is told about what becomes of a run and its tasks, and by when a run must have ended. */
import { VALUE_NAME_PATTERN } from './connections.ts';
import type { Json } from './protocol.ts';
import {
  createFieldsReader,
  duration,
  fieldsSchema,
  id,
  integer,
  isPlainObject,
  json,
  oneOf,
  oneOrMore,
  record,
  show,
  text,
  textList,
  type Field,
  type Fields,
  type Report,
} from './spec-fields.ts';

export const NOTIFY_EVENTS = ['success', 'failure', 'retry', 'skipped', 'slow', 'deadline'] as const;
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

/** A message over a connection of kind webhook, slack or smtp. */
export interface MessageTarget {
  connection: string;
  /** Mail addresses; empty: those of the connection. */
  recipients: string[];
}
/** A run of another DAG. */
export interface CallbackTarget {
  dagId: string;
  /** Texts in it may name what happened: `{{ task_id }}`. */
  conf: { [key: string]: Json };
}
export type NotifyTarget = MessageTarget | { callback: CallbackTarget };

export interface NotifyRule {
  on: NotifyEvent[];
  /** Of a DAG: the ids of tasks, or `*`. Empty: the run itself. */
  tasks: string[];
  to: NotifyTarget[];
  /** With names such as `{{ dag_id }}`; null: the usual text. */
  subject: string | null;
  body: string | null;
  /** Seconds after the start, for `slow`. */
  slowAfter: number | null;
}
/** A rule of a task is about that task. */
export type TaskNotifyRule = Omit<NotifyRule, 'tasks'>;

export const DEADLINE_REFERENCES = ['queued', 'logical_date', 'fixed', 'average_runtime'] as const;
export type DeadlineReference = (typeof DEADLINE_REFERENCES)[number];

export interface Deadline {
  after: DeadlineReference;
  /** Seconds. */
  within: number;
  /** For `fixed`: ISO 8601 with a time zone. */
  at: string | null;
  /** For `average_runtime`: how many of the newest successful runs count, and how many there must be. */
  runs: number;
  minRuns: number;
  /** Told when it is missed, beside the rules with `deadline`. */
  notify: NotifyTarget[];
}

/** What a text may name. */
export const MESSAGE_NAMES = [
  'event',
  'dag_id',
  'run_id',
  'run_key',
  'run_state',
  'logical_date',
  'task_id',
  'map_index',
  'try_number',
  'max_tries',
  'cause',
  'message',
  'exit_code',
  'log_tail',
  'due_at',
  'started_at',
  'ended_at',
  'link',
] as const;
export type MessageName = (typeof MESSAGE_NAMES)[number];
const NAMED = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Puts the values in; names are checked when a DAG is deployed. */
export const fillMessage = (template: string, values: { [name in MessageName]: string }): string =>
  template.replaceAll(NAMED, (_, name: string) => values[name as MessageName] ?? '');

const MOST_RULES = 50;
const MOST_TARGETS = 20;
const MAIL_ADDRESS = /^[^\s<>@,;"]{1,64}@[^\s<>@,;"]{1,250}$/;

function unknownNames(value: unknown): string[] {
  if (typeof value === 'string')
    return [...value.matchAll(NAMED)].flatMap(([, name = '']) =>
      (MESSAGE_NAMES as readonly string[]).includes(name) ? [] : [name],
    );
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(unknownNames);
}

/** A field whose texts name only what there is. */
const naming = <T>(field: Field<T>): Field<T> => ({
  ...field,
  read(value, path, report) {
    const read = field.read(value, path, report);
    for (const name of unknownNames(read))
      report(path(), `There is no '${name}' to be named here. Names: ${MESSAGE_NAMES.join(', ')}.`);
    return read;
  },
});

const connectionId: Field<string> = {
  schema: { type: 'string', pattern: VALUE_NAME_PATTERN.source },
  read(value, path, report) {
    if (typeof value === 'string' && VALUE_NAME_PATTERN.test(value)) return value;
    report(path(), `${show(value)} is not the id of a connection.`);
    return '';
  },
};
const address: Field<string> = {
  schema: { type: 'string', pattern: MAIL_ADDRESS.source },
  read(value, path, report) {
    if (typeof value === 'string' && MAIL_ADDRESS.test(value)) return value;
    report(path(), `${show(value)} is not a mail address, such as 'oncall@example.com'.`);
    return '';
  },
};

const ANY_KEY = /^[^\0]{1,200}$/;
const MESSAGE: Fields = { connection: connectionId, recipients: textList(address, 100) };
const CALLBACK: Fields = { dagId: id, conf: naming(record(ANY_KEY, json)) };
const readMessage = createFieldsReader(MESSAGE);
const readCallback = createFieldsReader(CALLBACK);

const target: Field<NotifyTarget> = {
  schema: {
    anyOf: [
      fieldsSchema(MESSAGE),
      {
        type: 'object',
        properties: { callback: fieldsSchema(CALLBACK) },
        required: ['callback'],
        additionalProperties: false,
      },
    ],
  },
  read(value, path, report) {
    if (isPlainObject(value) && isPlainObject(value['callback']) && Object.keys(value).length === 1)
      return { callback: readCallback(value['callback'], `${path()}.callback`, report) as unknown as CallbackTarget };
    if (isPlainObject(value) && 'connection' in value)
      return readMessage(value, path(), report) as unknown as MessageTarget;
    report(
      path(),
      `${show(value)} is nobody to tell. Write { connection: 'an-id' } or { callback: { dagId: 'a_dag' } }.`,
    );
    return { connection: '', recipients: [] };
  },
};

const required = <T>({ fallback: _, ...field }: Field<T>): Field<T> => field;
const targets = oneOrMore(target, MOST_TARGETS, 'targets');

const RULE: Fields = {
  on: required(oneOrMore(oneOf(NOTIFY_EVENTS), NOTIFY_EVENTS.length, 'events')),
  tasks: textList(text(200), 1_000),
  to: required(targets),
  subject: naming(text(500).or(null)),
  body: naming(text(20_000).or(null)),
  slowAfter: duration(1).or(null),
};
const { tasks: _tasks, ...TASK_RULE } = RULE;

function rules<T extends TaskNotifyRule>(
  fields: Fields,
  check: (rule: T, path: string, report: Report) => void,
): Field<T[]> {
  const read = createFieldsReader(fields);
  const item: Field<T> = {
    schema: fieldsSchema(fields),
    read(value, path, report) {
      if (!isPlainObject(value)) report(path(), `${show(value)} is not a rule. Write { on: ['failure'], to: … }.`);
      const given = read(isPlainObject(value) ? value : { on: [], to: [] }, path(), report) as unknown as T;
      // What is missing has been reported; the rest is to be checked all the same
      const rule = { ...given, on: given.on ?? [], to: given.to ?? [] };
      if (rule.on.includes('slow') && rule.slowAfter === null)
        report(`${path()}.slowAfter`, `'slow' needs a time after which it is: slowAfter: '30m'.`);
      if (given.on?.length === 0) report(`${path()}.on`, `On what? One or more of ${NOTIFY_EVENTS.join(', ')}.`);
      if (given.to?.length === 0) report(`${path()}.to`, 'Nobody is named to tell.');
      check(rule, path(), report);
      return rule;
    },
  };
  return oneOrMore(item, MOST_RULES, 'rules');
}

const onlyFor = (rule: TaskNotifyRule, events: readonly NotifyEvent[], path: string, report: Report, why: string) => {
  for (const event of rule.on) if (events.includes(event)) report(`${path}.on`, `'${event}' ${why}`);
};
export const dagNotify = rules<NotifyRule>(RULE, (rule, path, report) => {
  const isOfRun = rule.tasks.length === 0;
  if (isOfRun)
    onlyFor(rule, ['retry', 'skipped'], path, report, `happens to tasks: name them in 'tasks', or '*' for all.`);
  else onlyFor(rule, ['deadline'], path, report, `is of the run: leave 'tasks' out.`);
});
export const taskNotify = rules<TaskNotifyRule>(TASK_RULE, (rule, path, report) =>
  onlyFor(rule, ['deadline'], path, report, `is of the run: give it in 'notify' of the DAG.`),
);

const DEADLINE: Fields = {
  after: oneOf(DEADLINE_REFERENCES),
  within: duration(0).or(0),
  at: text(40).or(null),
  runs: integer(1, 100).or(10),
  minRuns: integer(1, 100).or(3),
  notify: targets,
};
const readDeadline = createFieldsReader(DEADLINE);
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

const deadline: Field<Deadline> = {
  schema: fieldsSchema(DEADLINE),
  read(value, path, report) {
    if (!isPlainObject(value))
      report(path(), `${show(value)} is not a deadline. Write { after: 'queued', within: '2h' }.`);
    const read = readDeadline(
      isPlainObject(value) ? value : { after: 'queued' },
      path(),
      report,
    ) as unknown as Deadline;
    if (
      read.after === 'fixed' &&
      !(typeof read.at === 'string' && INSTANT.test(read.at) && !isNaN(Date.parse(read.at)))
    )
      report(`${path()}.at`, `A fixed deadline needs a date with its time zone, such as at: '2026-12-24T18:00:00Z'.`);
    if (read.after !== 'fixed' && read.at !== null) report(`${path()}.at`, `'at' goes with after: 'fixed' only.`);
    if (read.after !== 'fixed' && read.after !== 'average_runtime' && read.within === 0)
      report(`${path()}.within`, `How long after that? Write within: '2h'.`);
    return read;
  },
};
export const deadlines = oneOrMore(deadline, 10, 'deadlines');

/** Rules name tasks that there are. */
export function checkNotifiedTasks(
  notify: readonly NotifyRule[],
  tasks: readonly { taskId: string }[],
  report: Report,
): void {
  const taskIds = new Set(notify.some((rule) => rule.tasks.length > 0) ? tasks.map((task) => task.taskId) : []);
  notify.forEach((rule, i) =>
    rule.tasks.forEach((taskId, at) => {
      if (taskId !== '*' && !taskIds.has(taskId))
        report(`notify[${i}].tasks[${at}]`, `There is no task '${taskId}' in this DAG.`);
    }),
  );
}

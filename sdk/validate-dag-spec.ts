/** From what people write to the canonical DagSpec, with every mistake at once. */
import type { DagSpec, TaskSpec } from './dag-spec.ts';
import { DAG_FIELDS, MAX_EDGES, MAX_SPEC_LENGTH, MAX_TASKS } from './dag-fields.ts';
import { didYouMean } from './near-match.ts';
import { paramsSchemaIssues } from './params.ts';
import type { Json } from './protocol.ts';
import { readTiming } from './read-timing.ts';
import {
  createFieldsReader,
  isPlainObject,
  show,
  type FieldsReader,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';
import { findCycles } from './task-graph.ts';
import { KIND_NAMES, kindOf, PRESETTABLE } from './task-kinds.ts';

export interface SpecIssue {
  /** `tasks[3].upstream[0]`; '' is the whole document. */
  path: string;
  message: string;
}
export type ValidatedSpec = { ok: true; spec: DagSpec } | { ok: false; issues: SpecIssue[] };

const readDag = createFieldsReader(DAG_FIELDS);
const MAX_ISSUES = 100;
/** A hint looks at every task id, so a file of wrong names must not ask for thousands. */
const MAX_HINTS = 20;

export function validateDagSpec(input: unknown): ValidatedSpec {
  if (!isPlainObject(input))
    return {
      ok: false,
      issues: [{ path: '', message: `${show(input)} is not a DAG spec. Give an object with dagId and tasks.` }],
    };
  const { issues, report, result } = createReport();
  const { tasks, defaults, ...rest } = input;
  const fields = readDag(rest, '', report);
  const timing = readTiming(fields, report);
  const presets = isPlainObject(defaults) ? readPresets(defaults, report) : {};
  if (defaults !== undefined && !isPlainObject(defaults))
    report('defaults', `${show(defaults)} is not an object of task fields.`);
  readParams(fields, timing.schedule !== null, report);
  const read = readTasks(tasks, presets, report);
  if (read) checkGraph(read, report);
  if (read && fields['failFast'] === true) checkFailFast(read, report);
  if (issues.length > 0) return result();
  const spec = { ...fields, ...timing, tasks: read } as unknown as DagSpec;
  const size = JSON.stringify(spec).length;
  if (size > MAX_SPEC_LENGTH)
    report(
      '',
      `The spec is ${(size / 2 ** 20).toFixed(1)} MiB; at most ${MAX_SPEC_LENGTH / 2 ** 20} MiB are allowed. Move long texts into files.`,
    );
  return issues.length > 0 ? result() : { ok: true, spec };
}

function createReport() {
  const issues: SpecIssue[] = [];
  let dropped = 0;
  const report: Report = (path, message) => {
    if (issues.length < MAX_ISSUES) issues.push({ path, message });
    else dropped += 1;
  };
  const result = (): ValidatedSpec => {
    if (dropped > 0) issues.push({ path: '', message: `… and ${dropped} more.` });
    return { ok: false, issues };
  };
  return { issues, report, result };
}

function readPresets(defaults: Plain, report: Report): Plain {
  const required = Object.fromEntries(Object.entries(PRESETTABLE).filter(([name]) => defaults[name] !== undefined));
  const unknown = Object.keys(defaults).filter(
    (name) => !Object.hasOwn(PRESETTABLE, name) && defaults[name] !== undefined,
  );
  for (const name of unknown)
    report(
      `defaults.${name}`,
      `Unknown key '${name}'.${didYouMean(name, Object.keys(PRESETTABLE))} Defaults may give ${Object.keys(PRESETTABLE).join(', ')}.`,
    );
  const known = Object.fromEntries(Object.entries(defaults).filter(([name]) => Object.hasOwn(PRESETTABLE, name)));
  return createFieldsReader(required)(known, 'defaults', report);
}

function readParams(fields: Plain, runsByItself: boolean, report: Report): void {
  const schema = fields['params'];
  if (!isPlainObject(schema)) return;
  const { $schema: dialect, ...own } = schema;
  if (dialect !== undefined && dialect !== 'https://json-schema.org/draft/2020-12/schema')
    report('params.$schema', `${show(dialect)} is not supported. Params are JSON Schema 2020-12; leave $schema out.`);
  fields['params'] = own;
  for (const issue of paramsSchemaIssues(own as { [key: string]: Json }, runsByItself))
    report(`params${issue.path}`, issue.message);
}

function readTasks(tasks: unknown, presets: Plain, report: Report): TaskSpec[] | null {
  if (!Array.isArray(tasks)) {
    report('tasks', tasks === undefined ? `'tasks' is missing.` : `${show(tasks)} is not a list of tasks.`);
    return null;
  }
  if (tasks.length === 0) report('tasks', 'A DAG needs at least one task.');
  if (tasks.length > MAX_TASKS) {
    report('tasks', `${tasks.length} tasks; at most ${MAX_TASKS} are allowed. Split the DAG.`);
    return null;
  }
  const readers = new Map<string, FieldsReader>();
  const readerOf = (kind: string, fields: Fields) => {
    const reader = readers.get(kind) ?? createFieldsReader(fields, presets);
    readers.set(kind, reader);
    return reader;
  };
  return tasks.map((task: unknown, index) => readTask(task, `tasks[${index}]`, readerOf, report));
}

type ReaderOf = (kind: string, fields: Fields) => FieldsReader;

function readTask(task: unknown, path: string, readerOf: ReaderOf, report: Report): TaskSpec {
  if (!isPlainObject(task)) {
    report(path, `${show(task)} is not a task. Give an object with taskId and kind.`);
    return { taskId: '', upstream: [], inputs: {} } as unknown as TaskSpec;
  }
  const kind = kindOf(task['kind']);
  if (!kind) {
    const written = task['kind'];
    const hint = typeof written === 'string' ? didYouMean(written, KIND_NAMES) : '';
    report(
      `${path}.kind`,
      `${written === undefined ? `'kind' is missing` : `${show(written)} is not a kind of task`}.${hint} Kinds: ${KIND_NAMES.join(', ')}.`,
    );
    return { taskId: String(task['taskId']), upstream: [], inputs: {} } as unknown as TaskSpec;
  }
  const read = readerOf(String(task['kind']), kind.fields)(task, path, report);
  kind.check?.(read, path, report);
  return read as unknown as TaskSpec;
}

/** Where every task needs the success of those before it, a run that goes on after a failure cannot succeed any more. */
function checkFailFast(tasks: TaskSpec[], report: Report): void {
  tasks.forEach((task, index) => {
    if (task.triggerRule !== 'all_success')
      report(
        `tasks[${index}].triggerRule`,
        `failFast ends the run at the first failure: '${task.triggerRule}' would have no meaning. Use all_success, or leave failFast out.`,
      );
  });
}

/** Ids, references and cycles. Adds the tasks that inputs name to the upstreams. */
function checkGraph(tasks: TaskSpec[], report: Report): void {
  const indexOf = new Map<string, number>();
  tasks.forEach((task, index) => {
    const first = indexOf.get(task.taskId);
    if (first === undefined) indexOf.set(task.taskId, index);
    else if (task.taskId)
      report(
        `tasks[${index}].taskId`,
        `'${task.taskId}' is already the id of tasks[${first}]. Give each task its own id.`,
      );
  });
  let hints = 0;
  const resolve = (taskId: string, path: () => string): number | undefined => {
    const index = indexOf.get(taskId);
    if (index === undefined && taskId) {
      const hint = hints++ < MAX_HINTS ? didYouMean(taskId, indexOf.keys()) : '';
      report(path(), `There is no task '${taskId}' in this DAG.${hint}`);
    }
    return index;
  };
  let edges = 0;
  const upstream = tasks.map((task, index) => {
    const indexes = task.upstream.map((taskId, at) => resolve(taskId, () => `tasks[${index}].upstream[${at}]`));
    for (const name in task.inputs)
      indexes.push(resolve(task.inputs[name]?.task ?? '', () => `tasks[${index}].inputs.${name}`));
    const unique = indexes.length > 1 ? [...new Set(indexes)] : indexes;
    const known = unique.filter((found) => found !== undefined);
    task.upstream = known.map((found) => (tasks[found] as TaskSpec).taskId);
    edges += known.length;
    return known;
  });
  if (edges > MAX_EDGES)
    report('tasks', `${edges} edges; at most ${MAX_EDGES} are allowed. Put an empty task between wide layers.`);
  for (const cycle of findCycles(upstream)) {
    const [first = 0] = cycle;
    const ids = [...cycle, first].map((index) => tasks[index]?.taskId ?? '');
    const names = (ids.length > 12 ? [...ids.slice(0, 8), '…', ...ids.slice(-3)] : ids).join(' → ');
    report(
      `tasks[${first}].upstream`,
      `The tasks wait for each other in a cycle: ${names}. Remove one of these edges.`,
    );
  }
}

/** From what people write to the canonical DagSpec, with every mistake at once. */
import { checkGraph } from './check-graph.ts';
import type { DagSpec, TaskSpec } from './dag-spec.ts';
import { DAG_FIELDS, MAX_SPEC_LENGTH, MAX_TASKS } from './dag-fields.ts';
import { didYouMean } from './near-match.ts';
import { checkNotifiedTasks, type NotifyRule } from './notify.ts';
import { paramsSchemaIssues } from './params.ts';
import { readPresets } from './presets.ts';
import type { Json } from './protocol.ts';
import { readGroups, type ReadGroup } from './read-groups.ts';
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
import { presetsOf } from './kubernetes-kinds.ts';
import { kindOf, WRITTEN_KINDS } from './task-kinds.ts';

export interface SpecIssue {
  /** `tasks[3].upstream[0]`; '' is the whole document. */
  path: string;
  message: string;
}
export type ValidatedSpec = { ok: true; spec: DagSpec } | { ok: false; issues: SpecIssue[] };

const readDag = createFieldsReader(DAG_FIELDS);
const MAX_ISSUES = 100;

export function validateDagSpec(input: unknown): ValidatedSpec {
  if (!isPlainObject(input))
    return {
      ok: false,
      issues: [{ path: '', message: `${show(input)} is not a DAG spec. Give an object with dagId and tasks.` }],
    };
  const { issues, report, result } = createReport();
  const { tasks, groups: writtenGroups, defaults, ...rest } = input;
  const fields = readDag(rest, '', report);
  const timing = readTiming(fields, report);
  const presets = readPresets(defaults, 'defaults', report);
  const groups = readGroups(writtenGroups, presets, report);
  readParams(fields, timing.schedule !== null, report);
  const read = readTasks(tasks, presets, groups, report);
  if (read) checkGraph(read, groups, report);
  if (read) checkNotifiedTasks(fields['notify'] as NotifyRule[], read, report);
  if (read && fields['failFast'] === true) checkFailFast(read, report);
  if (issues.length > 0) return result();
  const spec = {
    ...fields,
    ...timing,
    groups: [...groups.values()].map((group) => group.spec),
    tasks: read,
  } as unknown as DagSpec;
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

type Groups = ReadonlyMap<string, ReadGroup>;

function readTasks(tasks: unknown, presets: Plain, groups: Groups, report: Report): TaskSpec[] | null {
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
  const readerOf = (kind: string, fields: Fields, groupId: unknown) => {
    const group = groups.size > 0 && typeof groupId === 'string' ? groups.get(groupId) : undefined;
    const key = group ? `${kind} ${group.spec.groupId}` : kind;
    const reader = readers.get(key) ?? createFieldsReader(fields, presetsOf(kind, group?.presets ?? presets));
    readers.set(key, reader);
    return reader;
  };
  return tasks.map((task: unknown, index) => readTask(task, `tasks[${index}]`, readerOf, report));
}

type ReaderOf = (kind: string, fields: Fields, groupId: unknown) => FieldsReader;

/** So that the checks of the graph may go on. */
const unreadable = (taskId: string): TaskSpec => {
  const read = createFieldsReader(kindOf('empty')?.fields ?? {})({ kind: 'empty' }, '', () => undefined);
  return { ...read, taskId } as unknown as TaskSpec;
};

function readTask(task: unknown, path: string, readerOf: ReaderOf, report: Report): TaskSpec {
  if (!isPlainObject(task)) {
    report(path, `${show(task)} is not a task. Give an object with taskId and kind.`);
    return unreadable('');
  }
  const kind = kindOf(task['kind']);
  if (!kind) {
    const written = task['kind'];
    const hint = typeof written === 'string' ? didYouMean(written, WRITTEN_KINDS) : '';
    report(
      `${path}.kind`,
      `${written === undefined ? `'kind' is missing` : `${show(written)} is not a kind of task`}.${hint} Kinds: ${WRITTEN_KINDS.join(', ')}.`,
    );
    return unreadable(typeof task['taskId'] === 'string' ? task['taskId'] : '');
  }
  const read = readerOf(String(task['kind']), kind.fields, task['group'])(task, path, report);
  kind.check?.(read, path, report);
  // Already reported; the checks of the graph go on
  if (typeof read['taskId'] !== 'string') read['taskId'] = '';
  if (typeof read['group'] !== 'string') read['group'] = null;
  return read as unknown as TaskSpec;
}

/** Where every task needs the success of those before it, a run that goes on after a failure cannot succeed any more. */
function checkFailFast(tasks: TaskSpec[], report: Report): void {
  tasks.forEach((task, index) => {
    if (task.triggerRule !== 'all_success' && task.teardown === null)
      report(
        `tasks[${index}].triggerRule`,
        `failFast ends the run at the first failure: '${task.triggerRule}' would have no meaning. Use all_success, or leave failFast out.`,
      );
  });
}

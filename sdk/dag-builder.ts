/** What the calls of a build function make: tasks and groups as people may write them, and the functions of tasks. */
import { createWaitingTasks } from './waiting-tasks.ts';
import { createFlowBuilder } from './dag-flow.ts';
import type { GroupSpecInput, TaskSpecInput } from './dag-spec.ts';
import type { GroupOptions, GroupRef } from './flow-types.ts';
import type { TaskHandler, TaskOptions, TaskRef } from './task-types.ts';
import { inputsOf, mapOf, splitDefaults, upstreamOf, withoutUndefined, type Fields } from './written-fields.ts';

/** A task or a group whose edges may still be added to. */
export type Entry = { upstream: string[]; [field: string]: unknown };

/** Makes a task; `inputs` are results and `each()`. */
export type AddTask = (
  id: string,
  kind: string,
  inputs: object,
  options: TaskOptions,
  fields?: Fields,
) => TaskRef<never>;

export interface Building {
  dagId: string;
  tasks: Entry[];
  groups: Entry[];
  /** Tasks and groups by id. */
  entries: Map<string, Entry>;
  handlers: { [taskId: string]: TaskHandler };
  /** `task 'a' of DAG 'd'` for an error, with the whole id. */
  where(taskId: string): string;
}

/** Where tasks are made: in the DAG itself, or in a group. */
interface Scope {
  group: string | null;
  prefix: string;
}

export function createDagBuilder(dagId: string) {
  const building: Building = {
    dagId,
    tasks: [],
    groups: [],
    entries: new Map(),
    handlers: Object.create(null) as Building['handlers'],
    where: (taskId) => `task '${taskId}' of DAG '${dagId}'`,
  };
  const { tasks, groups, handlers } = building;
  return {
    root: createScope(building, { group: null, prefix: '' }),
    tasks: tasks as unknown as TaskSpecInput[],
    groups: groups as unknown as GroupSpecInput[],
    handlers,
  };
}

/** The functions that make tasks and groups in one place. */
function createScope(building: Building, scope: Scope) {
  const { entries, tasks, handlers } = building;
  const add: AddTask = (id, kind, written, options, fields = {}) => {
    const taskId = scope.prefix + id;
    const where = building.where(taskId);
    if (entries.has(taskId)) throw new Error(`${where}: this id is already taken. Give each task its own id.`);
    const { after, mapLimit, mapName, ...rest } = options;
    const { inputs, over } = inputsOf(where, written);
    const wiring = { ...upstreamOf(where, after), inputs, map: mapOf(where, over, mapLimit, mapName) };
    const group = scope.group ?? undefined;
    const entry = withoutUndefined({ taskId, kind, group, ...fields, ...rest, ...wiring }) as Entry;
    tasks.push(entry);
    entries.set(taskId, entry);
    return createRef(taskId, 'return_value');
  };
  const task = (id: string, ...rest: unknown[]) => {
    const run = rest.pop();
    if (typeof run !== 'function')
      throw new Error(`${building.where(scope.prefix + id)}: the last argument must be the function to run.`);
    const [inputs = {}, options = {}] = rest as [object?, TaskOptions?];
    const ref = add(id, 'typescript', inputs, options);
    handlers[ref.taskId] = run as TaskHandler;
    return ref;
  };
  const withInputs = (kind: string) => (id: string, options: TaskOptions & { inputs?: object }) => {
    const { inputs, ...rest } = options;
    return add(id, kind, inputs ?? {}, rest);
  };
  const group = (name: string, ...rest: unknown[]): GroupRef => {
    const inner = addGroup(building, scope, name, rest.length > 1 ? (rest[0] as object) : {});
    const build = rest.at(-1);
    if (typeof build !== 'function')
      throw new Error(`group '${inner.group}': the last argument must be the function that makes its tasks.`);
    const out: unknown = build(createScope(building, inner));
    return { groupId: inner.group, out };
  };
  return {
    task,
    bash: withInputs('bash'),
    python: withInputs('python'),
    http: withInputs('http'),
    sql: withInputs('sql'),
    pod: withInputs('pod'),
    resource: withInputs('resource'),
    empty: (id: string, options: TaskOptions = {}) => add(id, 'empty', {}, options),
    group,
    ...createFlowBuilder(building, add),
    ...createWaitingTasks(add, handlers),
  };
}

/** Where the tasks of a new group are made. */
function addGroup(
  { dagId, entries, groups }: Building,
  outer: Scope,
  name: string,
  options: GroupOptions & { map?: object },
): Scope & { group: string } {
  const groupId = outer.group === null ? name : `${outer.group}.${name}`;
  const where = `group '${groupId}' of DAG '${dagId}'`;
  if (entries.has(groupId)) throw new Error(`${where}: this id is already taken. Give each group its own id.`);
  const { after, map = {}, mapLimit, mapName, prefix = true, ...rest } = options;
  const { own, defaults } = splitDefaults(rest);
  const { inputs, over } = inputsOf(where, map);
  const [unmapped] = Object.keys(inputs);
  if (unmapped !== undefined) throw new Error(`${where}: map '${unmapped}' over a list with each().`);
  const wiring = { ...upstreamOf(where, after), map: mapOf(where, over, mapLimit, mapName) };
  const given = Object.keys(defaults).length > 0 ? defaults : undefined;
  const entry = withoutUndefined({ groupId, ...own, defaults: given, ...wiring }) as Entry;
  groups.push(entry);
  entries.set(groupId, entry);
  return { group: groupId, prefix: prefix ? `${outer.prefix}${name}.` : '' };
}

function createRef(taskId: string, key: string): TaskRef<never> {
  return { taskId, key, xcom: (other) => createRef(taskId, other) };
}

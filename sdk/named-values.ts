/** How a task gets at the variables and connections that came with its dispatch. */
import type { ConnectionValue, Dispatch } from './protocol.ts';

type Carrier = Pick<Dispatch, 'taskId' | 'task' | 'variables' | 'connections' | 'unreadable'>;

/** The task names something that is not there: nothing but a change by hand will mend it. */
export class MissingValueError extends Error {
  /** Read by `failureOf`, whichever copy of the SDK threw it. */
  readonly millrace = 'value_missing';
  constructor(message: string) {
    super(message);
    this.name = 'MissingValueError';
  }
}

/** Throws a MissingValueError that says what to do. */
export function variableOf(dispatch: Carrier, key: string): string {
  if (Object.hasOwn(dispatch.variables, key)) return dispatch.variables[key] ?? '';
  const reason = dispatch.unreadable[`variable ${key}`];
  if (reason !== undefined) throw new MissingValueError(reason);
  if (!isDeclared(dispatch.task.variables, key))
    throw new MissingValueError(
      `Task '${dispatch.taskId}' was given no variable '${key}': name it in the task's 'variables'.`,
    );
  throw new MissingValueError(absentVariable(key));
}

/** Throws a MissingValueError that says what to do. */
export function connectionOf(dispatch: Carrier, id: string): ConnectionValue {
  const found = Object.hasOwn(dispatch.connections, id) ? dispatch.connections[id] : undefined;
  if (found) return found;
  const reason = dispatch.unreadable[`connection ${id}`];
  if (reason !== undefined) throw new MissingValueError(reason);
  const { task } = dispatch;
  if (!isDeclared(task.connections, id) && !('connection' in task && task.connection === id))
    throw new MissingValueError(
      `Task '${dispatch.taskId}' was given no connection '${id}': name it in the task's 'connections'.`,
    );
  throw new MissingValueError(absentConnection(id));
}

export const absentVariable = (key: string): string =>
  `There is no variable '${key}'. Create it with "millrace variable set ${key} <value>".`;
export const absentConnection = (id: string): string =>
  `There is no connection '${id}'. Create it with "millrace connection add ${id} <uri>".`;

const isDeclared = (names: readonly string[] | undefined, name: string): boolean => names?.includes(name) ?? false;

/** What the task itself names in a field, and is not there. Templates tell by themselves; null: all is there. */
export function missingDeclared(dispatch: Carrier): string | null {
  const { task, variables, connections, unreadable } = dispatch;
  const field = 'connection' in task && typeof task.connection === 'string' ? [task.connection] : [];
  for (const key of task.variables ?? [])
    if (!Object.hasOwn(variables, key)) return unreadable[`variable ${key}`] ?? absentVariable(key);
  for (const id of [...field, ...(task.connections ?? [])])
    if (!Object.hasOwn(connections, id)) return unreadable[`connection ${id}`] ?? absentConnection(id);
  return null;
}

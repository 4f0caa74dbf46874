/** `var`, `conn` and `ti` of a template. */
import { connectionUri } from '#sdk/connections.ts';
import { absentConnection, absentVariable, MissingValueError } from '#sdk/named-values.ts';
import type { ConnectionValue, Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import { valueOf } from '#sdk/xcom-values.ts';
import { findXCom } from './inputs.ts';
import { ArgumentReader } from './jinja/arguments.ts';
import type { Budget } from './jinja/budget.ts';
import { loads } from './jinja/json-text.ts';
import {
  Callable,
  fromJson,
  isInteger,
  JinjaError,
  PyObject,
  Record,
  str,
  Undefined,
  type Value,
} from './jinja/values.ts';

/** Values by name: as member, as item, and by `get(name, default)`. One that is not there fails where it is used. */
class NamedValues extends PyObject {
  readonly typeName: string;
  readonly #find: (name: string) => Value | undefined;
  readonly #absent: (name: string) => string;
  constructor(typeName: string, find: (name: string) => Value | undefined, absent: (name: string) => string) {
    super();
    this.typeName = typeName;
    this.#find = find;
    this.#absent = absent;
  }
  member(name: string): Value {
    return name === 'get' ? this.#get : this.#named(name);
  }
  override item(key: Value, budget: Budget): Value {
    return this.#named(str(key, budget));
  }
  #named(name: string): Value {
    const message = this.#absent(name);
    return this.#find(name) ?? new Undefined(message, new MissingValueError(message));
  }
  str(): string {
    return `<${this.typeName}>`;
  }
  readonly #get = new Callable('get', (raw) => {
    const args = new ArgumentReader('get()', raw);
    const [name, fallback] = [args.text('key'), args.next('default_var') ?? args.next('default')];
    return this.#find(name) ?? fallback ?? this.#named(name);
  });
}

const unlessUnreadable = ({ unreadable }: Dispatch, what: string): undefined => {
  const reason = unreadable[what];
  if (reason !== undefined) throw new MissingValueError(reason);
};

export function variablesOf(dispatch: Dispatch): Value {
  const find = (read: (text: string) => Value) => (key: string) => {
    const text = Object.hasOwn(dispatch.variables, key) ? dispatch.variables[key] : undefined;
    return text === undefined ? unlessUnreadable(dispatch, `variable ${key}`) : read(text);
  };
  return new Record('variables', {
    value: () =>
      new NamedValues(
        'variables',
        find((text) => text),
        absentVariable,
      ),
    json: () =>
      new NamedValues(
        'variables',
        find((text) => fromJson(loads(text))),
        absentVariable,
      ),
  });
}

export const connectionsOf = (dispatch: Dispatch): Value =>
  new NamedValues(
    'connections',
    (id) => {
      const found = Object.hasOwn(dispatch.connections, id) ? dispatch.connections[id] : undefined;
      return found ? connectionRecord(found) : unlessUnreadable(dispatch, `connection ${id}`);
    },
    absentConnection,
  );

function connectionRecord(connection: ConnectionValue): Value {
  const { id, kind, host, port, schema, login, password, extra } = connection;
  const settings = () => fromJson(extra);
  const members = {
    id: () => id,
    conn_id: () => id,
    kind: () => kind,
    conn_type: () => kind,
    host: () => host,
    port: () => port,
    schema: () => schema,
    login: () => login,
    password: () => password,
    extra: settings,
    extra_dejson: settings,
    uri: () => connectionUri(connection),
    get_uri: () => new Callable('get_uri', () => connectionUri(connection)),
  };
  return new Record('Connection', members, `<Connection ${id}>`);
}

/** `ti.xcom_pull('task')`, `ti.xcom_pull(task_ids=['a', 'b'], key='rows', map_indexes=0, default='none')`. */
export const xcomPull = (xcoms: readonly XComValue[]): Callable =>
  new Callable('xcom_pull', (raw) => {
    const args = new ArgumentReader('ti.xcom_pull()', raw);
    const [tasks, dagOrKey, named] = [args.next('task_ids'), args.next('key'), args.next('map_indexes')];
    const [fallback] = [args.next('default')];
    args.done();
    const key = dagOrKey === undefined || dagOrKey === null ? 'return_value' : dagOrKey;
    if (typeof key !== 'string') throw new JinjaError('key of ti.xcom_pull must be a string');
    const pull = (task: Value): Value => {
      const value =
        named === undefined || named === null
          ? findXCom(xcoms, str(task, raw.budget), key)
          : pickMapped(xcoms, str(task, raw.budget), key, named);
      return value === undefined ? (fallback ?? null) : fromJson(value);
    };
    if (Array.isArray(tasks)) return tasks.map(pull);
    if (typeof tasks === 'string') return pull(tasks);
    throw new JinjaError("ti.xcom_pull needs the id of a task: ti.xcom_pull('extract')");
  });

function pickMapped(xcoms: readonly XComValue[], taskId: string, key: string, indexes: Value): Json | undefined {
  const at = (index: Value) => {
    if (!isInteger(index)) throw new JinjaError('map_indexes of ti.xcom_pull are whole numbers');
    const found = xcoms.find((xcom) => xcom.taskId === taskId && xcom.key === key && xcom.mapIndex === index);
    return found && valueOf(found);
  };
  return Array.isArray(indexes) ? indexes.map((index) => at(index) ?? null) : at(indexes);
}

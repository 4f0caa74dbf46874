/** What `a.b` and `a['b']` give, and nothing else of JavaScript is in reach. */
import { read, type Budget } from './budget.ts';
import { strFormat } from './format.ts';
import { methodOf } from './methods.ts';
import { characterAt, lengthOf } from './texts.ts';
import {
  Callable,
  dictKey,
  isDict,
  isInteger,
  NamedTuple,
  PyObject,
  repr,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** `a.b`: a member before an item, as in Jinja. */
export function member(object: Value, name: string, where: string, budget: Budget): Value {
  if (object instanceof Undefined) return object.fail();
  if (object instanceof PyObject)
    return object.member(name) ?? object.item(name, budget) ?? missing(object, name, where);
  if (object instanceof Callable) return object.members?.member(name) ?? missing(object, name, where);
  if (object instanceof NamedTuple && object.members.has(name)) return object.members.get(name) ?? null;
  const method = methodFor(object, name, budget);
  if (method) return method;
  if (isDict(object) && object.has(name)) return object.get(name) ?? null;
  return missing(object, name, where);
}

/** `a[key]`. */
export function item(object: Value, key: Value, where: string, budget: Budget): Value {
  if (object instanceof Undefined) return object.fail();
  if (key instanceof Undefined) return key.fail();
  if (isDict(object)) {
    const known = dictKey(key);
    if (object.has(known)) return object.get(known) ?? null;
  } else if (typeof object === 'string' || Array.isArray(object)) {
    if (isInteger(key)) {
      if (typeof object === 'string') read(budget, object.length);
      const found = typeof object === 'string' ? characterAt(object, key) : object.at(key);
      if (found !== undefined) return found;
      const length = typeof object === 'string' ? lengthOf(object) : object.length;
      return new Undefined(`${where} is undefined: there are ${length} items`);
    }
  } else if (object instanceof PyObject) {
    const found = object.item(key, budget);
    if (found !== undefined) return found;
  }
  if (typeof key === 'string')
    return methodFor(object, key, budget) ?? memberOf(object, key) ?? missing(object, key, where);
  return new Undefined(`${where} is undefined: ${typeName(object)} has no item ${repr(key, budget)}`);
}

const memberOf = (object: Value, name: string) => (object instanceof PyObject ? object.member(name) : undefined);

function missing(object: Value, name: string, where: string): Undefined {
  const what = object === null ? 'None' : isDict(object) ? 'it' : `a ${typeName(object)}`;
  return new Undefined(`${where} is undefined: ${what} has no '${name}'`);
}

function methodFor(object: Value, name: string, budget: Budget): Callable | null {
  return typeof object === 'string' && name === 'format' ? formatOf(object, budget) : methodOf(object, name, budget);
}

/** It reaches into its arguments: `'{0.name}'`. */
function formatOf(text: string, budget: Budget): Callable {
  const reach = (value: Value, name: string, computed: boolean): Value =>
    computed
      ? item(value, /^\d+$/.test(name) ? Number(name) : name, `'${name}'`, budget)
      : member(value, name, `'${name}'`, budget);
  return new Callable('format', ({ positional, named }) => {
    read(budget, text.length);
    const result = strFormat(text, positional, named, { member: reach, budget });
    budget.size(result.length);
    return result;
  });
}

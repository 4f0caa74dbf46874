/** The values of a template, as Python has them. JSON's values are themselves; what JavaScript lacks has a class here. */
import type { Json } from '#sdk/protocol.ts';
import { made, read, type Budget } from './budget.ts';
import { JinjaError } from './jinja-error.ts';
import { compareTexts } from './texts.ts';

export { JinjaError };

export type Value = null | boolean | number | string | Float | Value[] | Dict | PyObject | Callable | Undefined;
export type Dict = Map<Value, Value>;
export interface Arguments {
  positional: Value[];
  named: Map<string, Value>;
  /** What the call may use up. */
  budget: Budget;
}

/** A float without a fraction: `2.0`. Others are plain numbers. */
export class Float {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

/** What a name or a member that is not there evaluates to: any use but `is defined` and `default` is an error. */
export class Undefined {
  readonly reason: string;
  /** Thrown instead of an error with the reason. */
  readonly error: Error | null;
  constructor(reason: string, error: Error | null = null) {
    this.reason = reason;
    this.error = error;
  }
  fail(): never {
    throw this.error ?? new JinjaError(this.reason);
  }
}

export class Callable {
  readonly name: string;
  readonly call: (args: Arguments) => Value;
  /** What has members as well as a call: a class, the loop of a recursive `for`. */
  readonly members: PyObject | null;
  constructor(name: string, call: (args: Arguments) => Value, members: PyObject | null = null) {
    this.name = name;
    this.call = call;
    this.members = members;
  }
}

export class Tuple extends Array<Value> {
  /** What is made of one by map, filter or slice is a list. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
  static make(items: readonly Value[]): Tuple {
    const tuple = new Tuple();
    for (const item of items) tuple.push(item);
    return tuple;
  }
}

/** A tuple whose items have names too. */
export class NamedTuple extends Tuple {
  readonly members = new Map<string, Value>();
  static named(members: readonly [string, Value][]): NamedTuple {
    const tuple = new NamedTuple();
    for (const [name, value] of members) {
      tuple.push(value);
      tuple.members.set(name, value);
    }
    return tuple;
  }
}

/** Objects with members: what a template may see of them is what `member` gives, nothing else of JavaScript is in reach. */
export abstract class PyObject {
  abstract readonly typeName: string;
  abstract member(name: string): Value | undefined;
  abstract str(): string;
  repr(): string {
    return this.str();
  }
  /** As `a['b']`. */
  item(_key: Value, _budget: Budget): Value | undefined {
    return undefined;
  }
  /** Of a date: ISO 8601 in UTC. */
  utc(): string | null {
    return null;
  }
  equals(other: Value): boolean {
    return this === other;
  }
  /** Below, equal to or above 0; undefined: they cannot be compared. */
  compare(_other: Value): number | undefined {
    return undefined;
  }
  /** `this op other`, or `other op this` when reflected; undefined: not supported. */
  operate(_operator: string, _other: Value, _reflected: boolean): Value | undefined {
    return undefined;
  }
}

/** Members by name, made when they are asked for. */
export class Record extends PyObject {
  readonly typeName: string;
  readonly #members: { readonly [name: string]: () => Value };
  readonly #text: string;
  constructor(typeName: string, members: { readonly [name: string]: () => Value }, text = `<${typeName}>`) {
    super();
    this.typeName = typeName;
    this.#members = members;
    this.#text = text;
  }
  member(name: string): Value | undefined {
    return Object.hasOwn(this.#members, name) ? this.#members[name]?.() : undefined;
  }
  override item(key: Value): Value | undefined {
    return typeof key === 'string' ? this.member(key) : undefined;
  }
  str(): string {
    return this.#text;
  }
}

export const isDict = (value: Value): value is Dict => value instanceof Map;
export const isFloat = (value: Value): boolean =>
  value instanceof Float || (typeof value === 'number' && !Number.isInteger(value));
export const isInteger = (value: Value): value is number => typeof value === 'number' && Number.isInteger(value);
/** As Python counts: True is 1. Null when it is no number. */
export function asNumber(value: Value): number | null {
  if (typeof value === 'number') return value;
  if (value instanceof Float) return value.number;
  return typeof value === 'boolean' ? Number(value) : null;
}
export const float = (value: number): Value => (Number.isInteger(value) ? new Float(value) : value);
export function integer(value: number): number {
  if (!Number.isSafeInteger(value)) throw new JinjaError('a whole number has more than 15 digits');
  return value === 0 ? 0 : value;
}

/** JSON as the template sees it; a copy, so that no template changes what another one gets. */
export function fromJson(value: Json): Value {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (isFloat(value)) return 'float';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'str';
  if (value instanceof Tuple) return 'tuple';
  if (Array.isArray(value)) return 'list';
  if (isDict(value)) return 'dict';
  if (value instanceof PyObject) return value.typeName;
  return value instanceof Callable ? 'function' : 'Undefined';
}

export function truth(value: Value): boolean {
  if (value instanceof Undefined) return value.fail();
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (isDict(value)) return value.size > 0;
  if (value instanceof PyObject || value instanceof Callable) return true;
  return value instanceof Float ? value.number !== 0 : Boolean(value);
}

export function str(value: Value, budget: Budget): string {
  return typeof value === 'string' ? value : value instanceof PyObject ? value.str() : repr(value, budget);
}

const MAX_DEPTH = 50;
/** Each item counts each time: lists in lists that are the same one can be written in far more text than they take. */
export function repr(value: Value, budget: Budget, depth = 0): string {
  if (depth > MAX_DEPTH) throw new JinjaError(`nested deeper than ${MAX_DEPTH} levels`);
  budget.step();
  const inner = (item: Value) => repr(item, budget, depth + 1);
  const joined = (open: string, items: readonly string[], close: string): string =>
    made(budget, `${open}${items.join(', ')}${close}`);
  if (value instanceof Undefined) return value.fail();
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') {
    read(budget, value.length);
    return made(budget, quote(value));
  }
  if (typeof value === 'number' || value instanceof Float) return numberText(value);
  if (Array.isArray(value)) {
    const items = Array.from(value, inner);
    if (!(value instanceof Tuple)) return joined('[', items, ']');
    return joined('(', items, items.length === 1 ? ',)' : ')');
  }
  if (isDict(value))
    return joined(
      '{',
      Array.from(value, ([key, item]) => `${inner(key)}: ${inner(item)}`),
      '}',
    );
  return value instanceof PyObject ? value.repr() : `<function ${value.name}>`;
}

/** Python writes exponents from 1e16 on and below 1e-4. */
export function numberText(value: number | Float): string {
  const number = value instanceof Float ? value.number : value;
  if (!isFloat(value)) return String(number);
  if (Number.isNaN(number)) return 'nan';
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf';
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) return number.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(number) ? `${Object.is(number, -0) ? '-0' : number}.0` : String(number);
}

const ESCAPES: { [character: string]: string } = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\\n\r\t\u0000-\u001f\u007f-\u00a0\u00ad]/g, (character) => {
    const code = character.charCodeAt(0);
    return ESCAPES[character] ?? `\\x${code.toString(16).padStart(2, '0')}`;
  });
  return mark + body.replaceAll(mark, `\\${mark}`) + mark;
}

export function equals(a: Value, b: Value, budget: Budget): boolean {
  budget.step();
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== null || right !== null) return left === right;
  if (typeof a === 'string' && typeof b === 'string') return sameText(a, b, budget);
  if (Array.isArray(a))
    return (
      Array.isArray(b) &&
      a instanceof Tuple === b instanceof Tuple &&
      a.length === b.length &&
      a.every((item, i) => equals(item, b[i] ?? null, budget))
    );
  if (isDict(a)) {
    if (!isDict(b) || a.size !== b.size) return false;
    for (const [key, item] of a) if (!b.has(key) || !equals(item, b.get(key) ?? null, budget)) return false;
    return true;
  }
  return a instanceof PyObject ? a.equals(b) : a === b;
}

function sameText(a: string, b: string, budget: Budget): boolean {
  if (a.length !== b.length) return false;
  read(budget, a.length);
  return a === b;
}

/** Below, equal to or above 0. Throws where Python would. */
export function compare(a: Value, b: Value, budget: Budget, operator = '<'): number {
  budget.step();
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== null && right !== null) return left - right;
  if (typeof a === 'string' && typeof b === 'string') {
    read(budget, Math.min(a.length, b.length));
    return compareTexts(a, b);
  }
  if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
    for (const [i, item] of a.entries()) {
      const other = b[i];
      if (i >= b.length) return 1;
      if (!equals(item, other ?? null, budget)) return compare(item, other ?? null, budget, operator);
    }
    return a.length - b.length;
  }
  const order = a instanceof PyObject ? a.compare(b) : undefined;
  if (order !== undefined) return order;
  throw new JinjaError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** The items of a list, the characters of a text, the keys of a dict. */
export function iterate(value: Value, budget: Budget): Value[] {
  if (value instanceof Undefined) return value.fail();
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') {
    read(budget, value.length);
    budget.size(value.length);
    return [...value];
  }
  if (isDict(value)) return made(budget, [...value.keys()]);
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

/** Keys that are equal in Python are one key: 1, 1.0 and True. */
export const dictKey = (key: Value): Value => (key instanceof Float ? key.number : key);

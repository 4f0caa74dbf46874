/** `+ - * / // % **`, `in`, comparisons and slices, as Python has them. */
import { read, search, type Budget } from './budget.ts';
import { percentFormat } from './format.ts';
import { hasPairs } from './texts.ts';
import {
  asNumber,
  compare,
  dictKey,
  equals,
  float,
  integer,
  isDict,
  isFloat,
  iterate,
  JinjaError,
  PyObject,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

export function binary(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (left instanceof Undefined) return left.fail();
  if (right instanceof Undefined) return right.fail();
  const [a, b] = [asNumber(left), asNumber(right)];
  if (a !== null && b !== null) return arithmetic(operator, a, b, isFloat(left) || isFloat(right));
  if (left instanceof PyObject) {
    const result = left.operate(operator, right, false);
    if (result !== undefined) return result;
  }
  if (right instanceof PyObject) {
    const result = right.operate(operator, left, true);
    if (result !== undefined) return result;
  }
  return sequences(operator, left, right, budget) ?? unsupported(operator, left, right);
}

function unsupported(operator: string, left: Value, right: Value): never {
  throw new JinjaError(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function sequences(operator: string, left: Value, right: Value, budget: Budget): Value | null {
  if (operator === '%' && typeof left === 'string') {
    const text = percentFormat(left, right, budget);
    budget.size(text.length);
    return text;
  }
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      budget.size(left.length + right.length);
      return left + right;
    }
    if (!Array.isArray(left) || !Array.isArray(right) || left instanceof Tuple !== right instanceof Tuple) return null;
    budget.size(left.length + right.length);
    const joined = [...left, ...right];
    return left instanceof Tuple ? Tuple.make(joined) : joined;
  }
  if (operator !== '*') return null;
  const [sequence, count] = typeof right === 'number' ? [left, right] : [right, left];
  if (typeof count !== 'number' || !Number.isInteger(count)) return null;
  const isEmpty = (typeof sequence === 'string' || Array.isArray(sequence)) && sequence.length === 0;
  const times = isEmpty ? 0 : Math.max(0, count);
  if (typeof sequence === 'string') {
    budget.size(sequence.length * times);
    return sequence.repeat(times);
  }
  if (!Array.isArray(sequence)) return null;
  budget.size(sequence.length * times);
  const repeated = Array.from({ length: times }, () => [...sequence]).flat();
  return sequence instanceof Tuple ? Tuple.make(repeated) : repeated;
}

function arithmetic(operator: string, a: number, b: number, isReal: boolean): Value {
  const result = (value: number): Value => (isReal ? float(value) : integer(value));
  switch (operator) {
    case '+':
      return result(a + b);
    case '-':
      return result(a - b);
    case '*':
      return result(a * b);
    case '/':
      if (b === 0) throw new JinjaError('division by zero');
      return float(a / b);
    case '//':
      if (b === 0) throw new JinjaError('integer division or modulo by zero');
      return result(Math.floor(a / b));
    case '%':
      if (b === 0) throw new JinjaError('integer modulo by zero');
      return result(a - b * Math.floor(a / b));
    default:
      if (b < 0 && a === 0) throw new JinjaError('0.0 cannot be raised to a negative power');
      return isReal || b < 0 ? float(a ** b) : integer(a ** b);
  }
}

export function unary(operator: '-' | '+', operand: Value): Value {
  if (operand instanceof Undefined) return operand.fail();
  const number = asNumber(operand);
  const sign = operator === '-' ? -1 : 1;
  if (number !== null) return isFloat(operand) ? float(sign * number) : integer(sign * number);
  const result = operand instanceof PyObject ? operand.operate('*', sign, false) : undefined;
  if (result !== undefined) return result;
  throw new JinjaError(`bad operand type for unary ${operator}: '${typeName(operand)}'`);
}

export function comparison(operator: string, left: Value, right: Value, budget: Budget): boolean {
  switch (operator) {
    case '==':
      return equals(left, right, budget);
    case '!=':
      return !equals(left, right, budget);
    case 'in':
      return contains(right, left, budget);
    case 'not in':
      return !contains(right, left, budget);
    case '<':
      return compare(left, right, budget, operator) < 0;
    case '>':
      return compare(left, right, budget, operator) > 0;
    case '<=':
      return compare(left, right, budget, operator) <= 0;
    default:
      return compare(left, right, budget, operator) >= 0;
  }
}

export function contains(container: Value, item: Value, budget: Budget): boolean {
  if (container instanceof Undefined) return container.fail();
  if (item instanceof Undefined) return item.fail();
  if (typeof container === 'string') {
    if (typeof item === 'string') {
      search(budget, container, item);
      return container.includes(item);
    }
    throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (Array.isArray(container)) return container.some((each) => equals(each, item, budget));
  if (isDict(container)) return container.has(dictKey(item));
  throw new JinjaError(`argument of type '${typeName(container)}' is not iterable`);
}

/** `value[start:stop:step]`; null: left out. */
export function slice(value: Value, bounds: readonly [Value, Value, Value], budget: Budget): Value {
  if (value instanceof Undefined) return value.fail();
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new JinjaError(`'${typeName(value)}' object is not subscriptable`);
  read(budget, value.length);
  const items: string | Value[] = typeof value === 'string' && hasPairs(value) ? iterate(value, budget) : value;
  const [start, stop, step] = bounds.map((bound) => {
    if (bound === null || (typeof bound === 'number' && Number.isInteger(bound))) return bound;
    throw new JinjaError('slice indices must be integers or None');
  }) as [number | null, number | null, number | null];
  const stride = step ?? 1;
  if (stride === 0) throw new JinjaError('slice step cannot be zero');
  const { length } = items;
  const clamp = (index: number) =>
    Math.min(Math.max(index < 0 ? index + length : index, stride < 0 ? -1 : 0), stride < 0 ? length - 1 : length);
  const from = start === null ? (stride < 0 ? length - 1 : 0) : clamp(start);
  const to = stop === null ? (stride < 0 ? -1 : length) : clamp(stop);
  budget.size(Math.max(0, Math.ceil((to - from) / stride)));
  if (typeof items === 'string' && stride === 1) return items.slice(from, Math.max(from, to));
  const picked: Value[] = [];
  for (let i = from; stride > 0 ? i < to : i > to; i += stride) picked.push(items[i] ?? null);
  if (typeof value === 'string') return picked.join('');
  return value instanceof Tuple ? Tuple.make(picked) : picked;
}

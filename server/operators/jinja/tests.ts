/** What may stand after `is`. */
import { made, read, type Budget } from './budget.ts';
import { comparison, contains } from './operators.ts';
import {
  asNumber,
  Callable,
  equals,
  isDict,
  isFloat,
  isInteger,
  JinjaError,
  PyObject,
  str,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

export interface TestContext {
  isFilter(name: string): boolean;
  budget: Budget;
}
type Test = (value: Value, args: readonly Value[], context: TestContext) => boolean;

const other = (args: readonly Value[]): Value => {
  const [first] = args;
  if (first === undefined) throw new JinjaError('the test needs something to compare with');
  return first;
};
const compared =
  (operator: string): Test =>
  (value, args, { budget }) =>
    comparison(operator, value, other(args), budget);
const known = (value: Value): Value => (value instanceof Undefined ? value.fail() : value);
const remainder = (value: Value, by: number): number => {
  const number = asNumber(known(value));
  if (number === null) throw new JinjaError(`not a number but ${typeName(value)}`);
  return number - by * Math.floor(number / by);
};
const isCase =
  (cased: (text: string) => string): Test =>
  (value, _args, { budget }) => {
    const text = str(value, budget);
    return text === made(budget, cased(text)) && /\p{L}/u.test(text);
  };
const isSequence = (value: Value) => typeof value === 'string' || Array.isArray(value) || isDict(value);

const TESTS: { readonly [name: string]: Test } = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => isInteger(value),
  float: (value) => isFloat(value),
  number: (value) => asNumber(value) !== null,
  string: (value) => typeof value === 'string',
  mapping: (value) => isDict(value),
  sequence: (value) => isSequence(known(value)),
  iterable: (value) => isSequence(known(value)),
  callable: (value) => value instanceof Callable,
  sameas: (value, args, { budget }) =>
    value === other(args) ||
    (asNumber(value) !== null && typeName(value) === typeName(other(args)) && equals(value, other(args), budget)),
  odd: (value) => remainder(value, 2) === 1,
  even: (value) => remainder(value, 2) === 0,
  divisibleby: (value, args) => remainder(value, asNumber(other(args)) ?? 0) === 0,
  lower: isCase((text) => text.toLowerCase()),
  upper: isCase((text) => text.toUpperCase()),
  in: (value, args, { budget }) => contains(other(args), value, budget),
  filter: (value, _args, context) => typeof value === 'string' && context.isFilter(value),
  test: (value) => typeof value === 'string' && isTest(value),
  escaped: () => false,
  eq: compared('=='),
  ne: compared('!='),
  lt: compared('<'),
  le: compared('<='),
  gt: compared('>'),
  ge: compared('>='),
};
const ALIASES: { readonly [name: string]: string } = {
  equalto: 'eq',
  '==': 'eq',
  '!=': 'ne',
  lessthan: 'lt',
  '<': 'lt',
  '<=': 'le',
  greaterthan: 'gt',
  '>': 'gt',
  '>=': 'ge',
};

export const isTest = (name: string): boolean => Object.hasOwn(TESTS, name) || Object.hasOwn(ALIASES, name);

export function runTest(name: string, value: Value, args: readonly Value[], context: TestContext): boolean {
  const real = (Object.hasOwn(ALIASES, name) && ALIASES[name]) || name;
  const test = Object.hasOwn(TESTS, real) ? TESTS[real] : undefined;
  if (!test) throw new JinjaError(`No test named '${name}'`);
  if (value instanceof PyObject && (real === 'iterable' || real === 'sequence')) return false;
  if (typeof value === 'string' || Array.isArray(value)) read(context.budget, value.length);
  return test(value, args, context);
}

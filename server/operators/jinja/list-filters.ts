/** Filters on lists and dicts. */
import type { ArgumentReader } from './arguments.ts';
import { made, read, type Budget } from './budget.ts';
import type { Filter, FilterContext, Filters } from './filters.ts';
import { binary } from './operators.ts';
import {
  compare,
  dictKey,
  equals,
  isDict,
  isInteger,
  iterate,
  JinjaError,
  NamedTuple,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from './values.ts';

/** `a.b` and `a.0` into an item; the `default` where it is not there. */
export function attribute(value: Value, path: Value, context: FilterContext, fallback?: Value): Value {
  let found = value;
  if (typeof path === 'string') read(context.budget, path.length);
  for (const part of isInteger(path) ? [path] : str(path, context.budget).split('.')) {
    const key = typeof part === 'string' && /^\d+$/.test(part) ? Number(part) : part;
    if (typeof key === 'number')
      found = Array.isArray(found)
        ? (found[key] ?? new Undefined(`there is no item ${key}`))
        : context.member(found, String(key));
    else found = isDict(found) && found.has(key) ? (found.get(key) ?? null) : context.member(found, key);
    if (found instanceof Undefined && fallback !== undefined) return fallback;
  }
  return found;
}

function folded(value: Value, caseSensitive: boolean, budget: Budget): Value {
  if (typeof value !== 'string' || caseSensitive) return value;
  read(budget, value.length);
  return made(budget, value.toLowerCase());
}

/** Several attributes: `'a,b.c'`. */
function keyOf(path: Value | undefined, caseSensitive: boolean, context: FilterContext): (item: Value) => Value {
  if (path === undefined || path === null) return (item) => folded(item, caseSensitive, context.budget);
  const paths = typeof path === 'string' ? path.split(',') : [path];
  return (item) => {
    const keys = paths.map((each) => folded(attribute(item, each, context), caseSensitive, context.budget));
    return keys.length === 1 ? (keys[0] ?? null) : keys;
  };
}

/** Stable in both directions, as Python's. */
function sorted(items: readonly Value[], keyed: (item: Value) => Value, reverse: boolean, budget: Budget): Value[] {
  const pairs = items.map((item) => ({ item, key: keyed(item) }));
  pairs.sort((a, b) => (reverse ? compare(b.key, a.key, budget) : compare(a.key, b.key, budget)));
  return pairs.map(({ item }) => item);
}

function extreme(operand: Value, args: ArgumentReader, context: FilterContext, sign: number): Value {
  const keyed = ((caseSensitive: boolean) => keyOf(args.next('attribute'), caseSensitive, context))(
    args.flag('case_sensitive', false),
  );
  const items = iterate(operand, context.budget);
  if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
  return items.reduce((best, item) => (sign * compare(keyed(item), keyed(best), context.budget) > 0 ? item : best));
}

const rest = (args: Arguments, from: number): Arguments => ({
  positional: args.positional.slice(from),
  named: args.named,
  budget: args.budget,
});

function map(operand: Value, _args: ArgumentReader, context: FilterContext, raw: Arguments): Value {
  const items = iterate(operand, context.budget);
  const path = raw.named.get('attribute');
  if (path !== undefined) return items.map((item) => attribute(item, path, context, raw.named.get('default')));
  const [name] = raw.positional;
  if (typeof name !== 'string') throw new JinjaError("map requires a filter's name or an attribute");
  return items.map((item) => context.filter(name, item, rest(raw, 1)));
}

const selecting =
  (wanted: boolean, byAttribute: boolean): Filter =>
  (operand, _args, context, raw) => {
    const from = byAttribute ? 1 : 0;
    const path = raw.positional[0];
    if (byAttribute && path === undefined) throw new JinjaError('Missing parameter for attribute name');
    const test = raw.positional[from];
    return iterate(operand, context.budget).filter((item) => {
      const value = byAttribute ? attribute(item, path ?? null, context) : item;
      const passes =
        test === undefined ? truth(value) : context.test(str(test, context.budget), value, rest(raw, from + 1));
      return passes === wanted;
    });
  };

function join(operand: Value, args: ArgumentReader, context: FilterContext): string {
  const [glue, path] = [args.text('d', ''), args.next('attribute')];
  const items = iterate(operand, context.budget).map((item) =>
    str(path === undefined || path === null ? item : attribute(item, path, context), context.budget),
  );
  context.budget.size(items.reduce((sum, item) => sum + item.length + glue.length, 0));
  return items.join(glue);
}

function groupBy(operand: Value, args: ArgumentReader, context: FilterContext): Value {
  const path = args.required('attribute');
  const fallback = args.next('default');
  const caseSensitive = args.flag('case_sensitive', false);
  const keyed = (item: Value) => attribute(item, path, context, fallback);
  const fold = (key: Value) => folded(key, caseSensitive, context.budget);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(operand, context.budget), (each) => fold(keyed(each)), false, context.budget)) {
    const key = keyed(item);
    const last = groups.at(-1);
    if (last && equals(fold(last.key), fold(key), context.budget)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return groups.map(({ key, items }) =>
    NamedTuple.named([
      ['grouper', key],
      ['list', items],
    ]),
  );
}

function batch(operand: Value, args: ArgumentReader, context: FilterContext): Value {
  const [size, fill] = [args.integer('linecount'), args.next('fill_with')];
  if (size < 1) throw new JinjaError('batch needs a number above 0');
  const items = iterate(operand, context.budget);
  context.budget.size(items.length);
  const rows: Value[] = [];
  for (let at = 0; at < items.length; at += size) {
    const row = items.slice(at, at + size);
    if (fill !== undefined && fill !== null) {
      context.budget.size(size);
      while (row.length < size) row.push(fill);
    }
    rows.push(row);
  }
  return rows;
}

function slice(operand: Value, args: ArgumentReader, context: FilterContext): Value {
  const [slices, fill] = [args.integer('slices'), args.next('fill_with')];
  if (slices < 1) throw new JinjaError('slice needs a number above 0');
  context.budget.size(slices);
  const items = iterate(operand, context.budget);
  context.budget.size(items.length);
  const each = Math.floor(items.length / slices);
  const larger = items.length % slices;
  let at = 0;
  return Array.from({ length: slices }, (_, i) => {
    const row = items.slice(at, (at += each + (i < larger ? 1 : 0)));
    if (fill !== undefined && fill !== null && i >= larger) row.push(fill);
    return row;
  });
}

function dictSort(operand: Value, args: ArgumentReader, { budget }: FilterContext): Value {
  if (!isDict(operand)) throw new JinjaError(`dictsort needs a dict, not ${typeName(operand)}`);
  const caseSensitive = args.flag('case_sensitive', false);
  const by = args.text('by', 'key');
  if (by !== 'key' && by !== 'value') throw new JinjaError('You can only sort by either "key" or "value"');
  const place = by === 'key' ? 0 : 1;
  const keyed = (item: Value) => folded(Array.isArray(item) ? (item[place] ?? null) : null, caseSensitive, budget);
  return sorted(
    [...operand].map((entry) => Tuple.make(entry)),
    keyed,
    args.flag('reverse', false),
    budget,
  );
}

function unique(operand: Value, args: ArgumentReader, context: FilterContext): Value {
  const caseSensitive = args.flag('case_sensitive', false);
  const keyed = keyOf(args.next('attribute'), caseSensitive, context);
  const seen: Value[] = [];
  const known = new Set<Value>();
  return iterate(operand, context.budget).filter((item) => {
    const key = dictKey(keyed(item));
    const isPlain = typeof key !== 'object';
    if (isPlain ? known.has(key) : seen.some((other) => equals(other, key, context.budget))) return false;
    if (isPlain) known.add(key);
    else seen.push(key);
    return true;
  });
}

export const LIST_FILTERS: Filters = {
  first: (operand, _args, context) =>
    iterate(operand, context.budget)[0] ?? new Undefined('No first item, sequence was empty.'),
  last: (operand, _args, context) =>
    iterate(operand, context.budget).at(-1) ?? new Undefined('No last item, sequence was empty.'),
  random(operand, _args, context) {
    const items = iterate(operand, context.budget);
    return items[Math.floor(Math.random() * items.length)] ?? new Undefined('No random item, sequence was empty.');
  },
  join,
  list: (operand, _args, context) => [...iterate(operand, context.budget)],
  items: (operand) => (isDict(operand) ? [...operand].map((entry) => Tuple.make(entry)) : notDict(operand)),
  reverse: (operand, _args, context) =>
    typeof operand === 'string' ? [...operand].reverse().join('') : [...iterate(operand, context.budget)].reverse(),
  sort(operand, args, context) {
    const [reverse, caseSensitive] = [args.flag('reverse', false), args.flag('case_sensitive', false)];
    return sorted(
      iterate(operand, context.budget),
      keyOf(args.next('attribute'), caseSensitive, context),
      reverse,
      context.budget,
    );
  },
  sum(operand, args, context) {
    const [path, start] = [args.next('attribute'), args.next('start') ?? 0];
    const items = iterate(operand, context.budget).map((item) =>
      path === undefined || path === null ? item : attribute(item, path, context),
    );
    return items.reduce((sum, item) => binary('+', sum, item, context.budget), start);
  },
  min: (operand, args, context) => extreme(operand, args, context, -1),
  max: (operand, args, context) => extreme(operand, args, context, 1),
  map,
  select: selecting(true, false),
  reject: selecting(false, false),
  selectattr: selecting(true, true),
  rejectattr: selecting(false, true),
  groupby: groupBy,
  batch,
  slice,
  dictsort: dictSort,
  unique,
};

function notDict(operand: Value): never {
  throw new JinjaError(`Can only get item pairs from a mapping, not from ${typeName(operand)}`);
}

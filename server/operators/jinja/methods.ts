/** Methods of texts, lists and dicts: Python's, by a closed list. */
import { ArgumentReader } from './arguments.ts';
import { made, read, search, type Budget } from './budget.ts';
import {
  capitalize,
  center,
  lengthOf,
  restOfWords,
  splitLines,
  strip,
  swapCase,
  titleCase,
  type Side,
} from './texts.ts';
import {
  Callable,
  compare,
  dictKey,
  equals,
  isDict,
  isInteger,
  iterate,
  JinjaError,
  str,
  Tuple,
  typeName,
  type Arguments,
  type Dict,
  type Value,
} from './values.ts';

type Method<Of> = (self: Of, args: ArgumentReader, budget: Budget, raw: Arguments) => Value;
type Methods<Of> = { readonly [name: string]: Method<Of> };

const list = (items: string[]): Value[] => items;
const optional = (args: ArgumentReader, name: string, budget: Budget): string | null => {
  const value = args.next(name);
  return value === undefined || value === null ? null : str(value, budget);
};
const stripped =
  (side: Side): Method<string> =>
  (self, args, budget) =>
    strip(self, optional(args, 'chars', budget), side);

function split(self: string, args: ArgumentReader, budget: Budget, fromRight: boolean): Value {
  const separator = optional(args, 'sep', budget);
  const most = args.integer('maxsplit', -1);
  if (separator === '') throw new JinjaError('empty separator');
  search(budget, self, separator ?? '');
  const parts = separator === null ? (self.trim() === '' ? [] : self.trim().split(/\s+/)) : self.split(separator);
  if (most < 0 || parts.length <= most + 1) return list(parts);
  if (separator !== null)
    return list(
      fromRight
        ? [parts.slice(0, -most || parts.length).join(separator), ...(most > 0 ? parts.slice(-most) : [])]
        : [...parts.slice(0, most), parts.slice(most).join(separator)],
    );
  return list(fromRight ? restOfWords(self, most, true) : restOfWords(self, most, false));
}

/** Ends of a text: one or a tuple of them. */
const anyOf = (args: ArgumentReader, budget: Budget, test: (text: string) => boolean): boolean => {
  const wanted = args.required('prefix');
  return (Array.isArray(wanted) ? wanted : [wanted]).some((text) => test(str(text, budget)));
};

/** Only from JavaScript's index to Python's: by code points. */
const place = (self: string, index: number): number => (index < 0 ? -1 : lengthOf(self.slice(0, index)));
const soughtIn = (self: string, args: ArgumentReader, budget: Budget): string => {
  const sought = args.text('sub');
  search(budget, self, sought);
  return sought;
};
const found = (index: number): number => {
  if (index < 0) throw new JinjaError('substring not found');
  return index;
};
const every = (self: string, pattern: RegExp): boolean => self !== '' && pattern.test(self);
const padded = (self: string, args: ArgumentReader, budget: Budget): [number, string] => {
  const [width, fill] = [args.integer('width'), args.text('fillchar', ' ')];
  if (lengthOf(fill) !== 1) throw new JinjaError('The fill character must be exactly one character long');
  if (width > self.length) budget.size(width);
  return [width, fill];
};

const TEXT: Methods<string> = {
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  casefold: (self) => self.toLowerCase(),
  title: titleCase,
  capitalize,
  swapcase: swapCase,
  strip: stripped('both'),
  lstrip: stripped('left'),
  rstrip: stripped('right'),
  split: (self, args, budget) => split(self, args, budget, false),
  rsplit: (self, args, budget) => split(self, args, budget, true),
  splitlines: (self, args) => list(splitLines(self, args.flag('keepends', false))),
  replace(self, args, budget) {
    const [old, next, count] = [args.text('old'), args.text('new'), args.integer('count', -1)];
    return replaceText(self, { old, next, count }, budget);
  },
  startswith: (self, args, budget) => anyOf(args, budget, (text) => self.startsWith(text)),
  endswith: (self, args, budget) => anyOf(args, budget, (text) => self.endsWith(text)),
  find: (self, args, budget) => place(self, self.indexOf(soughtIn(self, args, budget))),
  rfind: (self, args, budget) => place(self, self.lastIndexOf(soughtIn(self, args, budget))),
  index: (self, args, budget) => found(place(self, self.indexOf(soughtIn(self, args, budget)))),
  rindex: (self, args, budget) => found(place(self, self.lastIndexOf(soughtIn(self, args, budget)))),
  count(self, args, budget) {
    const sub = soughtIn(self, args, budget);
    return sub === '' ? lengthOf(self) + 1 : self.split(sub).length - 1;
  },
  join(self, args, budget) {
    const parts = iterate(args.required('iterable'), budget).map((part) => {
      if (typeof part !== 'string')
        throw new JinjaError(`sequence item: expected str instance, ${typeName(part)} found`);
      return part;
    });
    budget.size(parts.reduce((sum, part) => sum + part.length + self.length, 0));
    read(budget, parts.length);
    return parts.join(self);
  },
  zfill(self, args, budget) {
    const [width] = padded(self, args, budget);
    const [sign = ''] = /^[+-]?/.exec(self) ?? [];
    return sign + self.slice(sign.length).padStart(width - sign.length, '0');
  },
  ljust(self, args, budget) {
    const [width, fill] = padded(self, args, budget);
    return self.padEnd(width, fill);
  },
  rjust(self, args, budget) {
    const [width, fill] = padded(self, args, budget);
    return self.padStart(width, fill);
  },
  center: (self, args, budget) => center(self, ...padded(self, args, budget)),
  removeprefix(self, args) {
    const text = args.text('prefix');
    return self.startsWith(text) ? self.slice(text.length) : self;
  },
  removesuffix(self, args) {
    const text = args.text('suffix');
    return text !== '' && self.endsWith(text) ? self.slice(0, -text.length) : self;
  },
  partition(self, args, budget) {
    const sep = args.text('sep');
    search(budget, self, sep);
    const at = self.indexOf(sep);
    return Tuple.make(at < 0 ? [self, '', ''] : [self.slice(0, at), sep, self.slice(at + sep.length)]);
  },
  rpartition(self, args, budget) {
    const sep = args.text('sep');
    search(budget, self, sep);
    const at = self.lastIndexOf(sep);
    return Tuple.make(at < 0 ? ['', '', self] : [self.slice(0, at), sep, self.slice(at + sep.length)]);
  },
  isdigit: (self) => every(self, /^\p{Nd}+$/u),
  isnumeric: (self) => every(self, /^\p{N}+$/u),
  isdecimal: (self) => every(self, /^\p{Nd}+$/u),
  isalpha: (self) => every(self, /^\p{L}+$/u),
  isalnum: (self) => every(self, /^[\p{L}\p{N}]+$/u),
  isspace: (self) => every(self, /^\s+$/u),
  isupper: (self) => /\p{Lu}/u.test(self) && !/\p{Ll}/u.test(self),
  islower: (self) => /\p{Ll}/u.test(self) && !/\p{Lu}/u.test(self),
};

export function replaceText(
  text: string,
  { old, next, count }: { old: string; next: string; count: number },
  budget: Budget,
): string {
  search(budget, text, old);
  const parts = old === '' ? ['', ...text, ''] : text.split(old);
  const times = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  budget.size(text.length + times * next.length);
  let result = parts[0] ?? '';
  for (let i = 1; i < parts.length; i += 1) result += (i <= times ? next : old) + (parts[i] ?? '');
  return result;
}

const at = (self: Value[], wanted: Value, budget: Budget): number => {
  const index = self.findIndex((each) => equals(each, wanted, budget));
  if (index < 0) throw new JinjaError(`${str(wanted, budget)} is not in list`);
  return index;
};
const SEQUENCE: Methods<Value[]> = {
  index: (self, args, budget) => at(self, args.required('value'), budget),
  count(self, args, budget) {
    const wanted = args.required('value');
    return self.filter((each) => equals(each, wanted, budget)).length;
  },
};
const nothing = (_: unknown): null => null;
const LIST: Methods<Value[]> = {
  ...SEQUENCE,
  append(self, args, budget) {
    budget.size(1);
    return nothing(self.push(args.required('item')));
  },
  extend(self, args, budget) {
    const items = iterate(args.required('items'), budget);
    const { length } = items;
    budget.size(length);
    // It may be extended by itself
    for (let i = 0; i < length; i += 1) self.push(items[i] ?? null);
    return null;
  },
  insert(self, args, budget) {
    budget.size(1);
    return nothing(self.splice(args.integer('index'), 0, args.required('item')));
  },
  remove: (self, args, budget) => nothing(self.splice(at(self, args.required('item'), budget), 1)),
  pop(self, args) {
    const index = args.integer('index', -1);
    const [popped] = self.splice(index, 1);
    if (popped === undefined) throw new JinjaError('pop from empty list');
    return popped;
  },
  clear: (self) => nothing((self.length = 0)),
  copy: (self) => [...self],
  reverse: (self) => nothing(self.reverse()),
  sort(self, args, budget) {
    const descending = args.flag('reverse', false);
    return nothing(self.sort((a, b) => (descending ? compare(b, a, budget) : compare(a, b, budget))));
  },
};

const DICT: Methods<Dict> = {
  get(self, args) {
    const key = dictKey(args.required('key'));
    const fallback = args.next('default');
    return self.has(key) ? (self.get(key) ?? null) : (fallback ?? null);
  },
  keys: (self) => [...self.keys()],
  values: (self) => [...self.values()],
  items: (self) => [...self].map((entry) => Tuple.make(entry)),
  copy: (self) => new Map(self),
  update(self, args, budget, raw) {
    const given = args.next('other');
    if (given !== undefined && !isDict(given)) throw new JinjaError('update() takes a dict');
    if (given) budget.size(given.size);
    for (const [key, value] of given ?? []) self.set(key, value);
    for (const [key, value] of raw.named) self.set(key, value);
    return null;
  },
  setdefault(self, args) {
    const [key, fallback] = [dictKey(args.required('key')), args.next('default') ?? null];
    if (!self.has(key)) self.set(key, fallback);
    return self.get(key) ?? null;
  },
  pop(self, args, budget) {
    const [key, fallback] = [dictKey(args.required('key')), args.next('default')];
    const value = self.get(key);
    if (value === undefined && fallback === undefined) throw new JinjaError(`KeyError: ${str(key, budget)}`);
    self.delete(key);
    return value ?? fallback ?? null;
  },
};

/** What they give is in the list or dict already: it is not made. */
const GIVES_WHAT_IS_THERE = new Set(['get', 'pop', 'setdefault']);

/** Null: the value has no such method. */
export function methodOf(self: Value, name: string, budget: Budget): Callable | null {
  const bind = <Of extends string | Value[] | Dict>(methods: Methods<Of>, of: Of): Callable | null => {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) return null;
    return new Callable(name, (raw) => {
      const args = new ArgumentReader(`${name}()`, raw);
      read(budget, isDict(of) ? of.size : of.length);
      const result = method(of, args, budget, raw);
      if (name !== 'update') args.done();
      return GIVES_WHAT_IS_THERE.has(name) ? result : made(budget, result);
    });
  };
  if (typeof self === 'string') return bind(TEXT, self);
  if (self instanceof Tuple) return bind(SEQUENCE, self);
  if (Array.isArray(self)) return bind(LIST, self);
  if (isDict(self)) return bind(DICT, self);
  return isInteger(self) && name === 'bit_length' ? new Callable(name, () => Math.abs(self).toString(2).length) : null;
}

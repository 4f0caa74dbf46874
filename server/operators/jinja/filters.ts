/** The filters of a template: those of Jinja that make texts of values here, those on lists in list-filters.ts. */
import { ArgumentReader } from './arguments.ts';
import { made, read, type Budget } from './budget.ts';
import { fixed, percentFormat } from './format.ts';
import { dumps, loads } from './json-text.ts';
import { LIST_FILTERS } from './list-filters.ts';
import { methodOf, replaceText } from './methods.ts';
import { capitalize, center, escapeHtml, lengthOf, splitLines, strip, stripTags, urlQuote, wrapLine } from './texts.ts';
import {
  asNumber,
  float,
  fromJson,
  integer,
  isDict,
  isFloat,
  iterate,
  JinjaError,
  PyObject,
  repr,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from './values.ts';

/** What a filter may use beside its operand and arguments. */
export interface FilterContext {
  budget: Budget;
  /** Calls another filter by name, for `map` and `select`. */
  filter(name: string, operand: Value, args: Arguments): Value;
  test(name: string, operand: Value, args: Arguments): boolean;
  /** `a.b`, or an item where there is no such member. */
  member(object: Value, name: string): Value;
  call(callee: Value, args: Arguments): Value;
}
export type Filter = (operand: Value, args: ArgumentReader, context: FilterContext, raw: Arguments) => Value;
export type Filters = { readonly [name: string]: Filter };

const PY_INTEGER = /^\s*[+-]?\d+(_\d+)*\s*$/;
function toInteger(value: Value, base: number): number | null {
  if (typeof value === 'string') {
    const text = value.trim().replaceAll('_', '').toLowerCase();
    if (base === 10) return PY_INTEGER.test(value) ? Number(text) : toInteger(toFloat(value), 10);
    const digits = text.replace(/^([+-]?)0[xob]/, '$1');
    const number = parseInt(digits, base === 0 ? 10 : base);
    return Number.isNaN(number) || !/^[+-]?[0-9a-z]+$/.test(digits) ? null : number;
  }
  const number = asNumber(value);
  return number === null || !Number.isFinite(number) ? null : Math.trunc(number);
}
function toFloat(value: Value): number | null {
  if (typeof value !== 'string') return asNumber(value);
  const text = value.trim().replaceAll('_', '');
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

/** Python's round: to even where the number lies exactly in the middle. */
function round(operand: Value, args: ArgumentReader): Value {
  const [precision, method] = [args.integer('precision', 0), args.text('method', 'common')];
  const number = asNumber(operand);
  if (number === null) throw new JinjaError(`type ${typeName(operand)} doesn't define __round__ method`);
  const scale = 10 ** precision;
  if (method === 'ceil') return float(Math.ceil(number * scale) / scale);
  if (method === 'floor') return float(Math.floor(number * scale) / scale);
  if (method !== 'common') throw new JinjaError('method must be common, ceil or floor');
  const size =
    precision >= 0 ? Number(fixed(Math.abs(number), precision)) : Number(fixed(Math.abs(number) * scale, 0)) / scale;
  return isFloat(operand)
    ? float(Math.sign(number) * size)
    : integer(precision >= 0 ? number : Math.sign(number) * size);
}

const UNITS = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
function fileSize(operand: Value, args: ArgumentReader): string {
  const binary = args.flag('binary', false);
  const bytes = toFloat(operand) ?? 0;
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const power = UNITS.findIndex((_, i) => bytes < base ** (i + 2));
  const at = power < 0 ? UNITS.length - 1 : power;
  const unit = UNITS[at] ?? '';
  return `${fixed(bytes / base ** (at + 1), 1)} ${binary ? `${unit.toUpperCase()}iB` : `${unit}B`}`;
}

function truncate(text: string, args: ArgumentReader): string {
  const length = args.integer('length', 255);
  const [killWords, end, leeway] = [args.flag('killwords', false), args.text('end', '...'), args.integer('leeway', 5)];
  if (length < end.length) throw new JinjaError(`expected length >= ${end.length}, got ${length}`);
  if (text.length <= length + leeway) return text;
  const kept = text.slice(0, length - end.length);
  if (killWords) return kept + end;
  const space = kept.lastIndexOf(' ');
  return (space < 0 ? kept : kept.slice(0, space)) + end;
}

function indent(whole: string, args: ArgumentReader, { budget }: FilterContext): string {
  const width = args.next('width') ?? 4;
  const [first, blank] = [args.flag('first', false), args.flag('blank', false)];
  const space = typeof width === 'string' ? width : ' '.repeat(Math.min(asNumber(width) ?? 4, 1000));
  const lines = splitLines(`${whole}\n`);
  budget.size(lines.length * space.length);
  const text = lines.map((line, i) => (i > 0 && (blank || line !== '') ? space + line : line)).join('\n');
  return first ? space + text : text;
}

function urlencode(operand: Value, _args: ArgumentReader, { budget }: FilterContext): string {
  const quoted = (value: Value, inQuery: boolean): string => {
    const text = str(value, budget);
    read(budget, text.length);
    return made(budget, urlQuote(text, inQuery));
  };
  if (typeof operand === 'string' || !(isDict(operand) || Array.isArray(operand))) return quoted(operand, false);
  const pairs = isDict(operand)
    ? [...operand]
    : operand.map((pair) => (Array.isArray(pair) ? [pair[0] ?? null, pair[1] ?? null] : [pair, null]));
  return pairs.map(([key, value]) => `${quoted(key ?? null, true)}=${quoted(value ?? null, true)}`).join('&');
}

/** As Jinja: what could end a script element is escaped too. It stays JSON. */
const tojson = (operand: Value, args: ArgumentReader, { budget }: FilterContext): string => {
  const indentation = args.next('indent');
  const style = {
    indent: typeof indentation === 'number' ? Math.min(indentation, 16) : null,
    sortKeys: true,
    ascii: true,
  };
  return dumps(operand, style, budget).replace(/[<>&']/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`);
};

type TextFilter = (text: string, args: ArgumentReader, context: FilterContext, raw: Arguments) => Value;
/** They take the text of whatever value it is. */
const ofText = (filters: { readonly [name: string]: TextFilter }): Filters =>
  Object.fromEntries(
    Object.entries(filters).map(([name, filter]): [string, Filter] => [
      name,
      (operand, args, context, raw) => {
        const text = str(operand, context.budget);
        if (text !== operand) read(context.budget, text.length);
        return filter(text, args, context, raw);
      },
    ]),
  );

const TEXT_FILTERS = ofText({
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  capitalize,
  title: (text) => text.replace(/[^-\s({[<]+/g, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()),
  trim: (text, args, { budget }) => {
    const characters = args.next('chars');
    return strip(text, characters === undefined || characters === null ? null : str(characters, budget), 'both');
  },
  replace(text, args, { budget }) {
    const [old, next] = [args.text('old'), args.text('new')];
    const count = args.next('count');
    return replaceText(text, { old, next, count: typeof count === 'number' ? count : -1 }, budget);
  },
  format(text, _args, { budget }, { positional, named }) {
    const values = named.size > 0 ? new Map<Value, Value>(named) : Tuple.make(positional);
    return percentFormat(text, values, budget);
  },
  center(text, args, { budget }) {
    const width = args.integer('width', 80);
    if (width > text.length) budget.size(width);
    return center(text, width);
  },
  indent,
  truncate,
  wordcount: (text) => text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0,
  wordwrap(text, args, { budget }) {
    const width = Math.max(1, args.integer('width', 79));
    const breakLong = args.flag('break_long_words', true);
    const joiner = args.next('wrapstring');
    const onHyphens = args.flag('break_on_hyphens', true);
    const lines = splitLines(text).flatMap((line) => {
      const wrapped = wrapLine(line, width, breakLong, onHyphens);
      return wrapped.length > 0 ? wrapped : [''];
    });
    const glue = typeof joiner === 'string' ? joiner : '\n';
    budget.size(lines.length * glue.length);
    return lines.join(glue);
  },
  escape: escapeHtml,
  forceescape: escapeHtml,
  safe: (text) => text,
  striptags: stripTags,
  string: (text) => text,
  fromjson(text, _args, { budget }) {
    budget.size(text.length);
    return fromJson(loads(text));
  },
});

const WRITING_FILTERS: Filters = {
  urlencode,
  filesizeformat: fileSize,
  pprint: (operand, _args, { budget }) => repr(operand, budget),
  tojson,
};

const NUMBER_FILTERS: Filters = {
  int(operand, args) {
    const [fallback, base] = [args.next('default') ?? 0, args.integer('base', 10)];
    const number = operand instanceof Undefined ? operand.fail() : toInteger(operand, base);
    return number === null ? fallback : integer(number);
  },
  float(operand, args) {
    const fallback = args.next('default') ?? float(0);
    const number = operand instanceof Undefined ? operand.fail() : toFloat(operand);
    return number === null ? fallback : float(number);
  },
  abs(operand) {
    const number = asNumber(operand);
    if (number === null) throw new JinjaError(`bad operand type for abs(): '${typeName(operand)}'`);
    return isFloat(operand) ? float(Math.abs(number)) : Math.abs(number);
  },
  round,
};

const VALUE_FILTERS: Filters = {
  default(operand, args) {
    const fallback = args.next('default_value') ?? '';
    const orFalse = args.flag('boolean', false);
    return operand instanceof Undefined || (orFalse && !truth(operand)) ? fallback : operand;
  },
  attr(operand, args, { member, budget }) {
    const name = args.text('name');
    // As in Jinja, a member only, not an item
    if (isDict(operand) && methodOf(operand, name, budget) === null)
      return new Undefined(`'${name}' is undefined: a dict has no such attribute`);
    return member(operand, name);
  },
  length(operand, _args, { budget }) {
    if (operand instanceof Undefined) return operand.fail();
    if (typeof operand === 'string') return lengthOf(operand);
    if (isDict(operand)) return operand.size;
    if (operand instanceof PyObject) throw new JinjaError(`object of type '${typeName(operand)}' has no len()`);
    return iterate(operand, budget).length;
  },
};

/** Of one date: what Airflow's filters of these names give. */
const dateFilter =
  (write: (isoUtc: string) => string): Filter =>
  (operand) => {
    if (operand === null) return '';
    const iso = operand instanceof PyObject ? operand.utc() : null;
    if (iso === null) throw new JinjaError(`a date is needed, not ${typeName(operand)}`);
    return write(iso);
  };
const seconds = (iso: string) => iso.slice(0, 19);
const DATE_FILTERS: Filters = {
  ds: dateFilter((iso) => iso.slice(0, 10)),
  ds_nodash: dateFilter((iso) => iso.slice(0, 10).replaceAll('-', '')),
  ts: dateFilter((iso) => iso),
  ts_nodash: dateFilter((iso) => seconds(iso).replace(/[-:]/g, '')),
  ts_nodash_with_tz: dateFilter((iso) => iso.replace(/[-:]/g, '')),
};

const FILTERS: Filters = {
  ...TEXT_FILTERS,
  ...WRITING_FILTERS,
  ...NUMBER_FILTERS,
  ...VALUE_FILTERS,
  ...LIST_FILTERS,
  ...DATE_FILTERS,
};
const ALIASES: { readonly [name: string]: string } = { d: 'default', e: 'escape', count: 'length' };
/** They take what is not there; with all others it is an error. */
const TAKES_UNDEFINED = new Set(['default', 'map', 'select', 'reject']);
/** What they give is there already, or they count it themselves: it is not made. */
const GIVES_WHAT_IS_THERE = new Set(['default', 'attr', 'first', 'last', 'random', 'min', 'max', 'safe', 'string']);
const CHECKS_ITSELF = new Set(['format', 'map', 'select', 'reject', 'selectattr', 'rejectattr']);

export const isFilter = (name: string): boolean => Object.hasOwn(FILTERS, name) || Object.hasOwn(ALIASES, name);

export function runFilter(name: string, operand: Value, raw: Arguments, context: FilterContext): Value {
  const real = (Object.hasOwn(ALIASES, name) && ALIASES[name]) || name;
  const filter = Object.hasOwn(FILTERS, real) ? FILTERS[real] : undefined;
  if (!filter) throw new JinjaError(`No filter named '${name}'`);
  if (operand instanceof Undefined && !TAKES_UNDEFINED.has(real)) operand.fail();
  if (Array.isArray(operand)) context.budget.step(operand.length);
  else if (typeof operand === 'string') read(context.budget, operand.length);
  else if (isDict(operand)) read(context.budget, operand.size);
  const args = new ArgumentReader(`the filter '${name}'`, raw);
  const result = filter(operand, args, context, raw);
  if (!CHECKS_ITSELF.has(real)) args.done();
  return GIVES_WHAT_IS_THERE.has(real) ? result : made(context.budget, result);
}

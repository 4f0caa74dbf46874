/** Python's two ways to format: `'%05.2f' % x` and `'{:>8}'.format(x)`. */
import { made, type Budget } from './budget.ts';
import { lengthOf } from './texts.ts';
import {
  asNumber,
  Float,
  isDict,
  isFloat,
  JinjaError,
  numberText,
  repr,
  str,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

const PERCENT = /%(?:\(([^()]*)\))?([-+ #0]{0,9})(\*|\d+)?(?:\.(\d+))?[hlL]?([diouxXeEfFgGcrsa%])/g;
const MOST_WIDTH = 10_000;

const checked = (width: number): number => {
  if (width > MOST_WIDTH) throw new JinjaError(`a format is wider than ${MOST_WIDTH} characters`);
  return width;
};

export function percentFormat(template: string, values: Value, budget: Budget): string {
  const list = values instanceof Tuple ? [...values] : [values];
  let used = 0;
  const next = (): Value => {
    if (used >= list.length) throw new JinjaError('not enough arguments for format string');
    return list[used++] ?? null;
  };
  const text = template.replace(
    PERCENT,
    (
      _whole,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      kind: string,
    ) => {
      if (kind === '%') return '%';
      const wide = width === '*' ? Number(next()) : width === undefined ? 0 : Number(width);
      const value = name === undefined ? next() : named(values, name);
      const digits = precision === undefined ? null : checked(Number(precision));
      budget.step();
      return made(budget, pad(conversion(kind, value, { precision: digits, flags, budget }), checked(wide), flags));
    },
  );
  if (used < list.length && !isDict(values))
    throw new JinjaError('not all arguments converted during string formatting');
  return text;
}

function named(values: Value, name: string): Value {
  if (!isDict(values)) throw new JinjaError('format requires a mapping');
  if (!values.has(name)) throw new JinjaError(`'${name}' is missing`);
  return values.get(name) ?? null;
}

function pad(text: string, width: number, flags: string): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || !/^[-+ ]?[\d.]/.test(text)) return text.padStart(width);
  const [sign = ''] = /^[-+ ]?/.exec(text) ?? [];
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

interface Style {
  precision: number | null;
  flags: string;
  budget: Budget;
}

function conversion(kind: string, value: Value, { precision, flags, budget }: Style): string {
  if (value instanceof Undefined) return value.fail();
  if (kind === 's') return cut(str(value, budget), precision);
  if (kind === 'r' || kind === 'a') return cut(repr(value, budget), precision);
  if (kind === 'c') return typeof value === 'string' ? value : String.fromCodePoint(Number(value));
  const number = asNumber(value);
  if (number === null) throw new JinjaError(`%${kind} format: a real number is required, not ${typeName(value)}`);
  const sign = number < 0 || Object.is(number, -0) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return sign + numberBody(kind, Math.abs(number), precision, flags.includes('#'));
}

const cut = (text: string, precision: number | null) => (precision === null ? text : text.slice(0, precision));

function numberBody(kind: string, size: number, precision: number | null, alternate: boolean): string {
  switch (kind) {
    case 'x':
      return (alternate ? '0x' : '') + Math.trunc(size).toString(16);
    case 'X':
      return (alternate ? '0X' : '') + Math.trunc(size).toString(16).toUpperCase();
    case 'o':
      return (alternate ? '0o' : '') + Math.trunc(size).toString(8);
    case 'b':
      return (alternate ? '0b' : '') + Math.trunc(size).toString(2);
    case 'e':
    case 'E': {
      const text = exponent(size.toExponential(Math.min(precision ?? 6, 100)));
      return kind === 'E' ? text.toUpperCase() : text;
    }
    case 'f':
    case 'F':
      return fixed(size, precision ?? 6);
    case 'g':
    case 'G': {
      const text = general(size, precision ?? 6);
      return kind === 'G' ? text.toUpperCase() : text;
    }
    default:
      return String(Math.trunc(size)).padStart(precision ?? 0, '0');
  }
}

const exponent = (text: string) => text.replace(/e([+-])(\d)$/, 'e$10$2');

/** JavaScript rounds by the exact value as well, but what lies exactly in the middle it rounds up, and Python to even. */
export function fixed(size: number, digits: number): string {
  const places = Math.min(digits, 99);
  const text = size.toFixed(places);
  if (!new RegExp(`^\\d+\\.\\d{${places}}50*$`).test(size.toFixed(100))) return text;
  // The lower one of the two, unless its last digit is odd
  const lower = size.toFixed(100).slice(0, places === 0 ? -101 : places - 100);
  return Number(lower.at(-1)) % 2 === 0 ? lower : text;
}

function general(size: number, precision: number): string {
  const digits = Math.max(1, Math.min(precision, 100));
  if (size === 0) return '0';
  const power = Number(/e([+-]\d+)$/.exec(size.toExponential(digits - 1))?.[1]);
  const text =
    power < -4 || power >= digits
      ? exponent(size.toExponential(digits - 1))
      : size.toFixed(Math.max(0, digits - 1 - power));
  return text.includes('.') ? text.replace(/\.?0+(?=e|$)/, '') : text;
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

/** What stands after the colon of `'{:…}'`. */
export function formatSpec(value: Value, spec: string, budget: Budget): string {
  if (value instanceof Undefined) return value.fail();
  if (spec === '') return str(value, budget);
  const match = SPEC.exec(spec);
  if (!match) throw new JinjaError(`Invalid format specifier '${spec}'`);
  const [, fill, align, sign = '-', alternate, zero, width, group, precision, kind] = match;
  const number = asNumber(value);
  const isNumber = number !== null && kind !== 's' && typeof value !== 'boolean';
  const digits = precision === undefined ? null : checked(Number(precision));
  if (!isNumber && kind !== undefined && kind !== 's')
    throw new JinjaError(`Unknown format code '${kind}' for object of type '${typeName(value)}'`);
  const prefix = isNumber ? (number < 0 ? '-' : sign === '-' ? '' : sign) : '';
  const body = isNumber
    ? specNumber(value, Math.abs(number), kind, digits, alternate !== undefined, group)
    : cut(str(value, budget), digits);
  const room = checked(Number(width ?? 0));
  const filler = fill ?? (zero ? '0' : ' ');
  const missing = Math.max(0, room - prefix.length - lengthOf(body));
  const place = align ?? (zero ? '=' : isNumber ? '>' : '<');
  if (place === '=') return prefix + filler.repeat(missing) + body;
  if (place === '<') return prefix + body + filler.repeat(missing);
  if (place === '>') return filler.repeat(missing) + prefix + body;
  const left = Math.floor(missing / 2);
  return filler.repeat(left) + prefix + body + filler.repeat(missing - left);
}

function inThrees(digits: string): string[] {
  const first = digits.length % 3;
  return [digits.slice(0, first), ...(digits.slice(first).match(/.{3}/g) ?? [])].filter((part) => part !== '');
}

function specNumber(
  value: Value,
  size: number,
  kind: string | undefined,
  precision: number | null,
  alternate: boolean,
  group: string | undefined,
): string {
  const grouped = (text: string) => {
    const [whole = '', ...rest] = text.split('.');
    return [group ? inThrees(whole).join(group) : whole, ...rest].join('.');
  };
  if (kind === '%') return `${grouped(fixed(size * 100, precision ?? 6))}%`;
  if (kind === undefined && (value instanceof Float || (typeof value === 'number' && isFloat(value))))
    return grouped(precision === null ? numberText(value).replace(/^-/, '') : general(size, precision));
  return grouped(numberBody(kind === undefined || kind === 'n' ? 'd' : kind, size, precision, alternate));
}

const FIELD = /\{\{|\}\}|\{([^{}!:.[]*)((?:\.\w+|\[[^\]]*\])*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g;

/** `'{} {name:>5}'.format(…)`; `member` reaches into a value. */
export function strFormat(
  template: string,
  positional: readonly Value[],
  named: ReadonlyMap<string, Value>,
  { member, budget }: { member: (value: Value, name: string, computed: boolean) => Value; budget: Budget },
): string {
  let auto = 0;
  const find = (name: string): Value => {
    const found = name === '' ? positional[auto++] : /^\d+$/.test(name) ? positional[Number(name)] : named.get(name);
    if (found === undefined)
      throw new JinjaError(
        /^\d*$/.test(name) ? 'Replacement index out of range for positional args tuple' : `'${name}' is missing`,
      );
    return found;
  };
  const fill = (text: string): string =>
    text.replace(
      FIELD,
      (whole, name: string | undefined, path: string, convert: string | undefined, spec: string | undefined) => {
        if (whole === '{{' || whole === '}}') return whole.charAt(0);
        if (name === undefined) throw new JinjaError(`Single '${whole}' encountered in format string`);
        let value = find(name);
        for (const [part] of path.matchAll(/\.\w+|\[[^\]]*\]/g))
          value = part.startsWith('.') ? member(value, part.slice(1), false) : member(value, part.slice(1, -1), true);
        if (convert !== undefined) value = convert === 's' ? str(value, budget) : repr(value, budget);
        budget.step();
        return made(budget, formatSpec(value, spec === undefined ? '' : fill(spec), budget));
      },
    );
  return fill(template);
}

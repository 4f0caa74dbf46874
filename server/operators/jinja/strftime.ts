/** Python's codes for dates: `%Y-%m-%d`. In English, whatever the machine's language is. */
import { JinjaError } from './values.ts';

export interface Moment {
  year: number;
  /** From 1. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  microsecond: number;
  /** Minutes ahead of UTC; null: not said. */
  offset: number | null;
  zone: string | null;
}

export const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const pad = (value: number, width = 2) => String(value).padStart(width, '0');
const at = (list: readonly string[], index: number): string => list[index] ?? '';

export const dayNumber = (year: number, month: number, day: number): number => {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return Math.floor(date.getTime() / 86_400_000);
};
/** Monday is 0. */
export const weekday = ({ year, month, day }: Moment): number => (((dayNumber(year, month, day) + 3) % 7) + 7) % 7;
export const dayOfYear = ({ year, month, day }: Moment): number =>
  dayNumber(year, month, day) - dayNumber(year, 1, 1) + 1;

/** ISO 8601: year, week, day from Monday = 1. */
export function isoWeek(moment: Moment): [number, number, number] {
  const day = dayNumber(moment.year, moment.month, moment.day);
  const thursday = new Date((day - weekday(moment) + 3) * 86_400_000);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() / 86_400_000 - dayNumber(year, 1, 1)) / 7) + 1;
  return [year, week, weekday(moment) + 1];
}

export function offsetText(offset: number | null, colon: boolean): string {
  if (offset === null) return '';
  const size = Math.abs(offset);
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${colon ? ':' : ''}${pad(size % 60)}`;
}

const CODES: { readonly [code: string]: (moment: Moment) => string } = {
  Y: ({ year }) => String(year),
  y: ({ year }) => pad(year % 100),
  C: ({ year }) => pad(Math.floor(year / 100)),
  m: ({ month }) => pad(month),
  d: ({ day }) => pad(day),
  e: ({ day }) => String(day).padStart(2),
  H: ({ hour }) => pad(hour),
  I: ({ hour }) => pad(hour % 12 || 12),
  M: ({ minute }) => pad(minute),
  S: ({ second }) => pad(second),
  f: ({ microsecond }) => pad(microsecond, 6),
  p: ({ hour }) => (hour < 12 ? 'AM' : 'PM'),
  A: (moment) => at(DAYS, weekday(moment)),
  a: (moment) => at(DAYS, weekday(moment)).slice(0, 3),
  B: ({ month }) => at(MONTHS, month - 1),
  b: ({ month }) => at(MONTHS, month - 1).slice(0, 3),
  h: ({ month }) => at(MONTHS, month - 1).slice(0, 3),
  j: (moment) => pad(dayOfYear(moment), 3),
  w: (moment) => String((weekday(moment) + 1) % 7),
  u: (moment) => String(weekday(moment) + 1),
  U: (moment) => pad(Math.floor((dayOfYear(moment) + 6 - ((weekday(moment) + 1) % 7)) / 7)),
  W: (moment) => pad(Math.floor((dayOfYear(moment) + 6 - weekday(moment)) / 7)),
  V: (moment) => pad(isoWeek(moment)[1]),
  G: (moment) => String(isoWeek(moment)[0]),
  z: ({ offset }) => offsetText(offset, false),
  Z: ({ offset, zone }) => (offset === null ? '' : (zone ?? (offset === 0 ? 'UTC' : `UTC${offsetText(offset, true)}`))),
  s: (moment) =>
    String(dayNumber(moment.year, moment.month, moment.day) * 86_400 + secondOfDay(moment) - (moment.offset ?? 0) * 60),
  D: (moment) => strftime(moment, '%m/%d/%y'),
  F: (moment) => strftime(moment, '%Y-%m-%d'),
  T: (moment) => strftime(moment, '%H:%M:%S'),
  R: (moment) => strftime(moment, '%H:%M'),
  x: (moment) => strftime(moment, '%m/%d/%y'),
  X: (moment) => strftime(moment, '%H:%M:%S'),
  c: (moment) => strftime(moment, '%a %b %e %H:%M:%S %Y'),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};
const secondOfDay = ({ hour, minute, second }: Moment) => hour * 3600 + minute * 60 + second;

/** `%-d` is without the leading zero. */
export function strftime(moment: Moment, format: string): string {
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, bare: string, code: string) => {
    const text = Object.hasOwn(CODES, code) ? CODES[code]?.(moment) : undefined;
    if (text === undefined) return whole;
    return bare === '-' ? text.replace(/^[0 ]+(?=\d)/, '') : text;
  });
}

const PARSERS: { readonly [code: string]: string } = {
  Y: '(\\d{4})',
  y: '(\\d{2})',
  m: '(\\d{1,2})',
  d: '(\\d{1,2})',
  H: '(\\d{1,2})',
  I: '(\\d{1,2})',
  M: '(\\d{1,2})',
  S: '(\\d{1,2})',
  f: '(\\d{1,6})',
  p: '(AM|PM)',
  j: '(\\d{1,3})',
  b: `(${MONTHS.map((name) => name.slice(0, 3)).join('|')})`,
  B: `(${MONTHS.join('|')})`,
  a: `(${DAYS.map((name) => name.slice(0, 3)).join('|')})`,
  A: `(${DAYS.join('|')})`,
  z: '(Z|[+-]\\d{2}:?\\d{2})',
};

/** Throws where the text does not fit the format, or is no date. */
export function strptime(text: string, format: string): Moment {
  const codes: string[] = [];
  const pattern = format.replace(
    /%([A-Za-z%])|([\\^$.*+?()[\]{}|])|(\s+)/g,
    (_whole, code?: string, special?: string) => {
      if (special !== undefined) return `\\${special}`;
      if (code === undefined) return '\\s+';
      if (code === '%') return '%';
      const parser = Object.hasOwn(PARSERS, code) ? PARSERS[code] : undefined;
      if (parser === undefined) throw new JinjaError(`'${code}' is a bad directive in format '${format}'`);
      // As in Python; a text could be split among them in ever so many ways
      if (codes.includes(code)) throw new JinjaError(`'%${code}' stands twice in format '${format}'`);
      codes.push(code);
      return parser;
    },
  );
  const match = new RegExp(`^${pattern}$`, 'i').exec(text);
  if (!match) throw new JinjaError(`time data '${text}' does not match format '${format}'`);
  return momentOf(new Map(codes.map((code, i) => [code, match[i + 1] ?? ''])), text);
}

function momentOf(parts: ReadonlyMap<string, string>, text: string): Moment {
  const number = (code: string, fallback: number) => (parts.has(code) ? Number(parts.get(code)) : fallback);
  const monthOf = (name: string) =>
    MONTHS.findIndex((month) => month.slice(0, 3).toLowerCase() === name.slice(0, 3).toLowerCase()) + 1;
  const short = number('y', 0);
  const year = parts.has('y') ? short + (short < 69 ? 2000 : 1900) : number('Y', 1900);
  const named = parts.get('b') ?? parts.get('B');
  const month = named === undefined ? number('m', 1) : monthOf(named);
  const twelve = number('I', 0) % 12;
  const hour = parts.has('I') ? twelve + (parts.get('p')?.toUpperCase() === 'PM' ? 12 : 0) : number('H', 0);
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(parts.get('z') ?? '') ?? [];
  const offset = parts.has('z') ? (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) : null;
  const moment: Moment = {
    year,
    month,
    day: number('d', 1),
    hour,
    minute: number('M', 0),
    second: number('S', 0),
    microsecond: Number((parts.get('f') ?? '0').padEnd(6, '0')),
    offset,
    zone: null,
  };
  return checkMoment(moment, text);
}

export function checkMoment(moment: Moment, text: string): Moment {
  const { year, month, day, hour, minute, second, microsecond } = moment;
  const days =
    month === 2
      ? (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
        ? 29
        : 28
      : [4, 6, 9, 11].includes(month)
        ? 30
        : 31;
  const ok = year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days;
  if (
    !ok ||
    hour > 23 ||
    minute > 59 ||
    second > 59 ||
    hour < 0 ||
    minute < 0 ||
    second < 0 ||
    microsecond < 0 ||
    microsecond > 999_999
  )
    throw new JinjaError(`'${text}' is not a date`);
  return moment;
}

/** pendulum's own ways to write a date. */
import type { DateTime } from './date-time.ts';
import { dayOfYear, isoWeek, offsetText, weekday } from './strftime.ts';
import { JinjaError, PyObject, typeName, type Value } from './values.ts';

const TOKENS =
  /\[([^\]]*)\]|YYYY|YY|Y|MMMM|MMM|MM|M|DDDD|DDD|DD|Do|D|dddd|ddd|d|E|HH|H|hh|h|mm|m|ss|s|S{1,6}|A|Q|WW|W|ZZ|Z|zz|z|X|x/g;

/** `YYYY-MM-DD`, as pendulum's format(). */
export function pendulumFormat(date: DateTime, format: string): string {
  const { moment } = date;
  const code = (python: string) => date.format(python);
  const token = (name: string): string => {
    const codes: { readonly [name: string]: string } = {
      YYYY: '%Y',
      YY: '%y',
      Y: '%Y',
      MMMM: '%B',
      MMM: '%b',
      MM: '%m',
      M: '%-m',
      DDDD: '%j',
      DD: '%d',
      D: '%-d',
      dddd: '%A',
      ddd: '%a',
      HH: '%H',
      H: '%-H',
      hh: '%I',
      h: '%-I',
      mm: '%M',
      m: '%-M',
      ss: '%S',
      s: '%-S',
      A: '%p',
      X: '%s',
    };
    const known = codes[name];
    if (known !== undefined) return code(known);
    if (/^S+$/.test(name)) return code('%f').slice(0, name.length);
    switch (name) {
      case 'DDD':
        return String(dayOfYear(moment));
      case 'Do':
        return `${moment.day}${ordinal(moment.day)}`;
      case 'd':
        return String((weekday(moment) + 1) % 7);
      case 'E':
        return String(weekday(moment) + 1);
      case 'Q':
        return String(Math.ceil(moment.month / 3));
      case 'W':
        return String(isoWeek(moment)[1]);
      case 'WW':
        return String(isoWeek(moment)[1]).padStart(2, '0');
      case 'Z':
        return offsetText(moment.offset, true);
      case 'ZZ':
        return offsetText(moment.offset, false);
      case 'x':
        return String(date.epoch * 1000 + Math.floor(date.micros / 1000));
      default:
        return name === 'zz' ? code('%Z') : (date.zone ?? offsetText(moment.offset, true));
    }
  };
  return format.replace(TOKENS, (whole, literal: string | undefined) => literal ?? token(whole));
}

const ordinal = (day: number): string =>
  day % 100 >= 11 && day % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th');

const UNITS: readonly [name: string, seconds: number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** `3 days ago`, `in 2 hours`; beside another date `3 days before`. Months of 30 days, years of 365. */
export function humanDifference(date: DateTime, other: Value): string {
  if (other !== null && !isDateTime(other)) throw new JinjaError(`a date is needed, not ${typeName(other)}`);
  const seconds = date.epoch - (other === null ? Math.floor(Date.now() / 1000) : other.epoch);
  const size = Math.abs(seconds);
  const [unit, length] = UNITS.find(([, each]) => size >= each) ?? ['second', 1];
  const count = Math.floor(size / length);
  const text =
    unit === 'second' && size < 10 && other === null ? 'a few seconds' : `${count} ${unit}${count === 1 ? '' : 's'}`;
  if (other === null) return seconds > 0 ? `in ${text}` : `${text} ago`;
  return `${text} ${seconds >= 0 ? 'after' : 'before'}`;
}

const isDateTime = (value: Value): value is DateTime =>
  value instanceof PyObject && value.typeName === 'datetime.datetime';

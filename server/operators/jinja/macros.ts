/** `macros.*`: Airflow's, and the parts of Python's library that stand there. */
import { randomUUID } from 'node:crypto';
import { ArgumentReader } from './arguments.ts';
import { made, read, type Budget } from './budget.ts';
import { DateOnly, DateTime } from './date-time.ts';
import { humanDifference } from './date-texts.ts';
import { dumps, loads } from './json-text.ts';
import { strptime, type Moment } from './strftime.ts';
import { timedelta, TimeDelta } from './time-delta.ts';
import { Callable, float, fromJson, JinjaError, Record, str, typeName, type Value } from './values.ts';

const callable = (name: string, run: (args: ArgumentReader, budget: Budget) => Value) => (): Value =>
  new Callable(name, (raw) => {
    const args = new ArgumentReader(`${name}()`, raw);
    const result = run(args, raw.budget);
    args.done();
    return made(raw.budget, result);
  });

const ISO_DATE = '%Y-%m-%d';

const dateOf = (value: Value): DateTime => {
  if (value instanceof DateTime) return value;
  if (value instanceof DateOnly) return value.midnight;
  throw new JinjaError(`a date is needed, not ${typeName(value)}`);
};

function makeDateTime(args: ArgumentReader, budget: Budget): Value {
  const moment: Moment = {
    year: args.integer('year'),
    month: args.integer('month'),
    day: args.integer('day'),
    hour: args.integer('hour', 0),
    minute: args.integer('minute', 0),
    second: args.integer('second', 0),
    microsecond: args.integer('microsecond', 0),
    offset: null,
    zone: null,
  };
  const zone = args.next('tzinfo');
  const date = DateTime.fromMoment(moment);
  return zone === undefined || zone === null
    ? date
    : new DateTime(date.wall, date.micros, 0, 'UTC').in(str(zone, budget)).at(date.wall);
}

const ISO =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/;
/** ISO 8601, with or without a time. */
export function parseDate(text: string): DateTime {
  const match = ISO.exec(text.trim());
  if (!match) throw new JinjaError(`'${text}' is not a date`);
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone] = match;
  const offset =
    zone === undefined
      ? null
      : zone === 'Z'
        ? 0
        : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)));
  return DateTime.fromMoment({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
    offset,
    zone: offset === 0 ? 'UTC' : null,
  });
}

const now = (zone: string | null): DateTime => {
  const utc = DateTime.fromEpoch(Date.now() / 1000);
  return zone === null ? new DateTime(utc.wall, utc.micros) : utc.in(zone);
};

/** `macros.datetime(2026, 1, 1)`, and its members. */
const datetimeMembers = new Record('datetime', {
  strptime: callable('strptime', (args) =>
    DateTime.fromMoment(strptime(args.text('date_string'), args.format('format'))),
  ),
  fromisoformat: callable('fromisoformat', (args) => parseDate(args.text('date_string'))),
  fromtimestamp: callable('fromtimestamp', (args, budget) => {
    const [seconds, zone] = [args.number('timestamp', 0), args.next('tz')];
    const utc = DateTime.fromEpoch(seconds);
    return zone === undefined || zone === null ? new DateTime(utc.wall, utc.micros) : utc.in(str(zone, budget));
  }),
  now: callable('now', (args, budget) => {
    const zone = args.next('tz');
    return now(zone === undefined || zone === null ? null : str(zone, budget));
  }),
  utcnow: callable('utcnow', () => now(null)),
  today: callable('today', () => now(null)),
});
const makeDate: Callable['call'] = (raw) => makeDateTime(new ArgumentReader('datetime()', raw), raw.budget);
const datetime = new Callable('datetime', makeDate, datetimeMembers);

/** `ds_add('2026-01-31', 1)`. */
function dsAdd(args: ArgumentReader): Value {
  const [ds, days] = [args.text('ds'), args.integer('days')];
  const date = DateTime.fromMoment(strptime(ds, ISO_DATE));
  return date.plus(new TimeDelta(days * 86_400)).format(ISO_DATE);
}
const dsFormat = (args: ArgumentReader): Value => {
  const [ds, input, output] = [args.text('ds'), args.format('input_format'), args.format('output_format')];
  return DateTime.fromMoment(strptime(ds, input)).format(output);
};

const uuid = new Record('module uuid', { uuid4: callable('uuid4', () => randomUUID()) });
const time = new Record('module time', { time: callable('time', () => float(Date.now() / 1000)) });
const json = new Record('module json', {
  dumps: callable('dumps', (args, budget) => {
    const value = args.required('obj');
    const [indent, sortKeys, ascii] = [
      args.next('indent'),
      args.flag('sort_keys', false),
      args.flag('ensure_ascii', true),
    ];
    return dumps(value, { indent: typeof indent === 'number' ? Math.min(indent, 16) : null, sortKeys, ascii }, budget);
  }),
  loads: callable('loads', (args, budget) => {
    const text = args.text('s');
    read(budget, text.length);
    budget.size(text.length);
    return fromJson(loads(text));
  }),
});
const dateutil = new Record('module dateutil', {
  parser: () =>
    new Record('module dateutil.parser', { parse: callable('parse', (args) => parseDate(args.text('timestr'))) }),
});

export const MACROS = new Record('module macros', {
  ds_add: callable('ds_add', dsAdd),
  ds_format: callable('ds_format', dsFormat),
  datetime: () => datetime,
  timedelta: () => timedelta,
  datetime_diff_for_humans: callable('datetime_diff_for_humans', (args) => {
    const [date, since] = [dateOf(args.required('dt')), args.next('since')];
    return humanDifference(date, since === undefined || since === null ? null : dateOf(since));
  }),
  random: callable('random', () => float(Math.random())),
  uuid: () => uuid,
  time: () => time,
  json: () => json,
  dateutil: () => dateutil,
});

/** The members of dates, by a closed list. */
import { ArgumentReader } from './arguments.ts';
import { made } from './budget.ts';
import type { DateTime } from './date-time.ts';
import { humanDifference, pendulumFormat } from './date-texts.ts';
import { dayNumber, dayOfYear, isoWeek, offsetText, weekday, type Moment } from './strftime.ts';
import { TimeDelta } from './time-delta.ts';
import { Callable, float, JinjaError, Tuple, type Value } from './values.ts';

type Member = (self: DateTime) => Value;

const DAY = 86_400;
const method =
  (name: string, run: (self: DateTime, args: ArgumentReader) => Value): Member =>
  (self) =>
    new Callable(name, (raw) => {
      const args = new ArgumentReader(`${name}()`, raw);
      const result = run(self, args);
      args.done();
      return made(raw.budget, result);
    });
const field =
  (name: 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'microsecond'): Member =>
  (self) =>
    self.moment[name];

const MONTHS_OF: { readonly [unit: string]: number } = { years: 12, months: 1 };
const SECONDS_OF: { readonly [unit: string]: number } = {
  weeks: 7 * DAY,
  days: DAY,
  hours: 3600,
  minutes: 60,
  seconds: 1,
};

/** pendulum's `add(months=1, days=2)`: a day that the month does not have is its last. */
function shift(self: DateTime, args: ArgumentReader, sign: number): Value {
  let months = 0;
  let seconds = 0;
  for (const [unit, factor] of Object.entries(MONTHS_OF)) months += args.integer(unit, 0) * factor;
  for (const [unit, factor] of Object.entries(SECONDS_OF)) seconds += args.number(unit, 0) * factor;
  const micros = args.integer('microseconds', 0);
  const moved = self.at(withMonths(self, sign * months));
  const delta = TimeDelta.ofSeconds(seconds);
  return moved.plus(new TimeDelta(delta.seconds, delta.micros + micros), sign);
}
function withMonths(self: DateTime, months: number): number {
  if (months === 0) return self.wall;
  const { year, month, day } = self.moment;
  const at = year * 12 + month - 1 + months;
  const [toYear, toMonth] = [Math.floor(at / 12), (((at % 12) + 12) % 12) + 1];
  const next = toMonth === 12 ? dayNumber(toYear + 1, 1, 1) : dayNumber(toYear, toMonth + 1, 1);
  const date = Math.min(dayNumber(toYear, toMonth, day), next - 1);
  return date * DAY + (((self.wall % DAY) + DAY) % DAY);
}

/** Wall-clock seconds at which the unit that the date lies in begins. */
function startOf(self: DateTime, unit: string): number {
  const { year, month } = self.moment;
  const today = Math.floor(self.wall / DAY);
  switch (unit) {
    case 'second':
      return self.wall;
    case 'minute':
      return self.wall - (((self.wall % 60) + 60) % 60);
    case 'hour':
      return self.wall - (((self.wall % 3600) + 3600) % 3600);
    case 'day':
      return today * DAY;
    case 'week':
      return (today - weekday(self.moment)) * DAY;
    case 'month':
      return dayNumber(year, month, 1) * DAY;
    case 'quarter':
      return dayNumber(year, month - ((month - 1) % 3), 1) * DAY;
    case 'year':
      return dayNumber(year, 1, 1) * DAY;
    default:
      throw new JinjaError(`'${unit}' is no unit: second, minute, hour, day, week, month, quarter or year`);
  }
}
function endOf(self: DateTime, unit: string): DateTime {
  const begin = self.at(startOf(self, unit), 0);
  const months: { [unit: string]: number } = { month: 1, quarter: 3, year: 12 };
  const plain: { [unit: string]: number } = { second: 1, minute: 60, hour: 3600, day: DAY, week: 7 * DAY };
  const next = months[unit] === undefined ? begin.wall + (plain[unit] ?? 0) : withMonths(begin, months[unit]);
  return self.at(next - 1, 999_999);
}

function replace(self: DateTime, args: ArgumentReader): Value {
  const { moment } = self;
  const part = (name: keyof Moment) => args.integer(name, moment[name] as number);
  const [year, month, day] = [part('year'), part('month'), part('day')];
  const [hour, minute, second, microsecond] = [part('hour'), part('minute'), part('second'), part('microsecond')];
  const next: Moment = { ...moment, year, month, day, hour, minute, second, microsecond };
  return self.at(
    dayNumber(next.year, next.month, next.day) * DAY + next.hour * 3600 + next.minute * 60 + next.second,
    next.microsecond,
  );
}

const inZone = (name: string): Member => method(name, (self, args) => self.in(args.text('tz')));
const timestamp = (self: DateTime) => self.epoch + self.micros / 1_000_000;

export const dateMembers: { readonly [name: string]: Member } = {
  year: field('year'),
  month: field('month'),
  day: field('day'),
  hour: field('hour'),
  minute: field('minute'),
  second: field('second'),
  microsecond: field('microsecond'),
  strftime: method('strftime', (self, args) => self.format(args.format('format'))),
  isoformat: method('isoformat', (self, args) => self.iso(args.text('sep', 'T'))),
  timestamp: method('timestamp', (self) => float(timestamp(self))),
  weekday: method('weekday', (self) => weekday(self.moment)),
  isoweekday: method('isoweekday', (self) => weekday(self.moment) + 1),
  isocalendar: method('isocalendar', (self) => Tuple.make(isoWeek(self.moment))),
  replace: method('replace', replace),
  utcoffset: method('utcoffset', (self) => (self.offset === null ? null : new TimeDelta(self.offset * 60))),
  tzname: method('tzname', (self) => (self.offset === null ? null : self.format('%Z'))),
  // pendulum
  float_timestamp: (self) => float(timestamp(self)),
  int_timestamp: (self) => self.epoch,
  day_of_week: (self) => weekday(self.moment),
  day_of_year: (self) => dayOfYear(self.moment),
  week_of_year: (self) => isoWeek(self.moment)[1],
  quarter: (self) => Math.ceil(self.moment.month / 3),
  days_in_month: (self) => endOf(self, 'month').moment.day,
  offset_hours: (self) => float((self.offset ?? 0) / 60),
  timezone_name: (self) => self.zone ?? offsetText(self.offset, true),
  add: method('add', (self, args) => shift(self, args, 1)),
  subtract: method('subtract', (self, args) => shift(self, args, -1)),
  start_of: method('start_of', (self, args) => self.at(startOf(self, args.text('unit')), 0)),
  end_of: method('end_of', (self, args) => endOf(self, args.text('unit'))),
  in_timezone: inZone('in_timezone'),
  in_tz: inZone('in_tz'),
  astimezone: inZone('astimezone'),
  to_date_string: method('to_date_string', (self) => self.iso().slice(0, 10)),
  to_time_string: method('to_time_string', (self) => self.iso().slice(11, 19)),
  to_datetime_string: method('to_datetime_string', (self) => self.iso(' ').slice(0, 19)),
  to_iso8601_string: method('to_iso8601_string', (self) => self.iso().replace(/\+00:00$/, 'Z')),
  format: method('format', (self, args) => pendulumFormat(self, args.format('format'))),
  diff_for_humans: method('diff_for_humans', (self, args) => {
    const other = args.next('other');
    return humanDifference(self, other === undefined || other === null ? null : other);
  }),
};

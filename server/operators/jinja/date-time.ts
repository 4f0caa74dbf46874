/** Dates with the members of Python's datetime, and those of pendulum's that DAGs use. */
import { checkMoment, dayNumber, offsetText, strftime, type Moment } from './strftime.ts';
import { dateMembers } from './date-members.ts';
import { offsetOf, instantOf } from './time-zones.ts';
import { TimeDelta } from './time-delta.ts';
import { JinjaError, PyObject, type Value } from './values.ts';

const DAY = 86_400;
const MICROS = 1_000_000;
const pad = (value: number, width = 2) => String(value).padStart(width, '0');

export class DateTime extends PyObject {
  readonly typeName: string = 'datetime.datetime';
  /** What the clock shows, as seconds since 1970 without regard to its zone. */
  readonly wall: number;
  readonly micros: number;
  /** Minutes ahead of UTC; null: nobody said. */
  readonly offset: number | null;
  /** IANA name; null for a fixed offset. */
  readonly zone: string | null;

  constructor(wall: number, micros = 0, offset: number | null = null, zone: string | null = null) {
    super();
    this.wall = wall;
    this.micros = micros;
    this.offset = offset;
    this.zone = zone;
    const { year } = this.moment;
    if (!(year >= 1 && year <= 9999)) throw new JinjaError('date value out of range');
  }
  static fromMoment(moment: Moment): DateTime {
    const { year, month, day, hour, minute, second, microsecond, offset, zone } = checkMoment(moment, 'the date');
    return new DateTime(
      dayNumber(year, month, day) * DAY + hour * 3600 + minute * 60 + second,
      microsecond,
      offset,
      zone,
    );
  }
  /** In UTC. */
  static fromIso(iso: string): DateTime {
    const ms = Date.parse(iso);
    if (Number.isNaN(ms)) throw new JinjaError(`'${iso}' is not a date`);
    return DateTime.fromEpoch(ms / 1000);
  }
  static fromEpoch(seconds: number, zone = 'UTC'): DateTime {
    const whole = Math.floor(seconds);
    return new DateTime(whole, Math.round((seconds - whole) * MICROS), 0, 'UTC').in(zone);
  }

  get moment(): Moment {
    const date = new Date(this.wall * 1000);
    return {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      microsecond: this.micros,
      offset: this.offset,
      zone: this.zone,
    };
  }
  /** Seconds since 1970; a date without a zone is taken as UTC. */
  get epoch(): number {
    return this.wall - (this.offset ?? 0) * 60;
  }
  in(zone: string): DateTime {
    const offset = offsetOf(zone, this.epoch * 1000);
    return new DateTime(this.epoch + offset * 60, this.micros, offset, zone);
  }
  /** The same wall clock elsewhere: what the clock of its zone shows stays, its offset may change. */
  at(wall: number, micros = this.micros): DateTime {
    if (this.zone === null || this.zone === 'UTC') return new DateTime(wall, micros, this.offset, this.zone);
    const instant = instantOf(this.zone, wall * 1000) / 1000;
    return new DateTime(instant, micros, 0, 'UTC').in(this.zone);
  }
  plus(delta: TimeDelta, sign = 1): DateTime {
    const micros = this.micros + sign * delta.micros;
    const carry = Math.floor(micros / MICROS);
    return this.at(this.wall + sign * delta.seconds + carry, micros - carry * MICROS);
  }
  minus(other: DateTime): TimeDelta {
    if ((this.offset === null) !== (other.offset === null))
      throw new JinjaError("can't subtract offset-naive and offset-aware datetimes");
    return new TimeDelta(this.epoch - other.epoch, this.micros - other.micros);
  }

  iso(separator = 'T'): string {
    const { year, month, day, hour, minute, second } = this.moment;
    const fraction = this.micros === 0 ? '' : `.${pad(this.micros, 6)}`;
    const clock = `${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}`;
    return `${pad(year, 4)}-${pad(month)}-${pad(day)}${separator}${clock}${offsetText(this.offset, true)}`;
  }
  member(name: string): Value | undefined {
    return Object.hasOwn(dateMembers, name) ? dateMembers[name]?.(this) : undefined;
  }
  override utc(): string {
    return (this.offset === null ? this : this.in('UTC')).iso();
  }
  /** With a zone one word, as ISO 8601; without one as Python's. */
  str(): string {
    return this.iso(this.offset === null ? ' ' : 'T');
  }
  override repr(): string {
    const { year, month, day, hour, minute, second } = this.moment;
    const small = this.micros > 0 ? [second, this.micros] : second > 0 ? [second] : [];
    const zone =
      this.offset === null
        ? ''
        : `, tzinfo=${this.offset === 0 ? 'datetime.timezone.utc' : (this.zone ?? offsetText(this.offset, true))}`;
    return `datetime.datetime(${[year, month, day, hour, minute, ...small].join(', ')}${zone})`;
  }
  override equals(other: Value): boolean {
    return other instanceof DateTime && (this.offset === null) === (other.offset === null) && this.compare(other) === 0;
  }
  override compare(other: Value): number | undefined {
    if (!(other instanceof DateTime)) return undefined;
    if ((this.offset === null) !== (other.offset === null))
      throw new JinjaError("can't compare offset-naive and offset-aware datetimes");
    return this.epoch - other.epoch || this.micros - other.micros;
  }
  override operate(operator: string, other: Value, reflected: boolean): Value | undefined {
    if (other instanceof TimeDelta) {
      if (operator === '+') return this.plus(other);
      return operator === '-' && !reflected ? this.plus(other, -1) : undefined;
    }
    return other instanceof DateTime && operator === '-' && !reflected ? this.minus(other) : undefined;
  }
  format(format: string): string {
    return strftime(this.moment, format);
  }
}

/** A day without a time. */
export class DateOnly extends PyObject {
  readonly typeName = 'datetime.date';
  readonly midnight: DateTime;
  constructor(days: number) {
    super();
    this.midnight = new DateTime(days * DAY);
  }
  get days(): number {
    return this.midnight.wall / DAY;
  }
  member(name: string): Value | undefined {
    if (name === 'isoformat') return this.midnight.member('to_date_string');
    return DATE_ONLY.has(name) ? this.midnight.member(name) : undefined;
  }
  override utc(): string {
    return this.midnight.utc();
  }
  str(): string {
    return this.midnight.iso().slice(0, 10);
  }
  override repr(): string {
    const { year, month, day } = this.midnight.moment;
    return `datetime.date(${year}, ${month}, ${day})`;
  }
  override equals(other: Value): boolean {
    return this.compare(other) === 0;
  }
  override compare(other: Value): number | undefined {
    return other instanceof DateOnly ? this.days - other.days : undefined;
  }
  override operate(operator: string, other: Value, reflected: boolean): Value | undefined {
    if (other instanceof TimeDelta) {
      if (operator === '+') return new DateOnly(this.days + other.days);
      return operator === '-' && !reflected ? new DateOnly(this.days - other.days) : undefined;
    }
    return other instanceof DateOnly && operator === '-' && !reflected
      ? new TimeDelta((this.days - other.days) * DAY)
      : undefined;
  }
}
const DATE_ONLY = new Set([
  'year',
  'month',
  'day',
  'strftime',
  'weekday',
  'isoweekday',
  'isocalendar',
  'day_of_week',
  'day_of_year',
  'week_of_year',
  'quarter',
  'to_date_string',
]);

import { ArgumentReader } from './arguments.ts';
import { asNumber, Callable, float, integer, JinjaError, PyObject, type Value } from './values.ts';

const DAY = 86_400;
const MICROS = 1_000_000;

/** A length of time, as Python's: whole seconds and 0 to 999999 microseconds. */
export class TimeDelta extends PyObject {
  readonly typeName = 'datetime.timedelta';
  readonly seconds: number;
  readonly micros: number;
  constructor(seconds: number, micros = 0) {
    super();
    const whole = Math.round(micros);
    const carry = Math.floor(whole / MICROS);
    this.seconds = integer(seconds + carry);
    this.micros = whole - carry * MICROS;
  }
  static ofSeconds(seconds: number): TimeDelta {
    const whole = Math.floor(seconds);
    return new TimeDelta(whole, Math.round((seconds - whole) * MICROS));
  }
  get total(): number {
    return this.seconds + this.micros / MICROS;
  }
  get days(): number {
    return Math.floor(this.seconds / DAY);
  }

  member(name: string): Value | undefined {
    const { days, seconds, micros, total } = this;
    switch (name) {
      case 'days':
        return days;
      case 'seconds':
        return seconds - days * DAY;
      case 'microseconds':
        return micros;
      case 'total_seconds':
        return new Callable(name, () => float(total));
      case 'in_days':
      case 'total_days':
        return new Callable(name, () => (name === 'in_days' ? Math.trunc(total / DAY) : float(total / DAY)));
      case 'in_hours':
      case 'total_hours':
        return new Callable(name, () => (name === 'in_hours' ? Math.trunc(total / 3600) : float(total / 3600)));
      case 'in_minutes':
      case 'total_minutes':
        return new Callable(name, () => (name === 'in_minutes' ? Math.trunc(total / 60) : float(total / 60)));
      case 'in_seconds':
        return new Callable(name, () => Math.trunc(total));
      default:
        return undefined;
    }
  }
  str(): string {
    const { days, micros } = this;
    const rest = this.seconds - days * DAY;
    const two = (value: number) => String(value).padStart(2, '0');
    const clock = `${Math.floor(rest / 3600)}:${two(Math.floor((rest % 3600) / 60))}:${two(rest % 60)}`;
    const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
    return `${days === 0 ? '' : `${days} day${Math.abs(days) === 1 ? '' : 's'}, `}${clock}${fraction}`;
  }
  override repr(): string {
    const parts = [
      ['days', this.days],
      ['seconds', this.seconds - this.days * DAY],
      ['microseconds', this.micros],
    ].filter(([, value]) => value !== 0);
    return `datetime.timedelta(${parts.map(([name, value]) => `${name}=${value}`).join(', ') || '0'})`;
  }
  override equals(other: Value): boolean {
    return this.compare(other) === 0;
  }
  override compare(other: Value): number | undefined {
    if (!(other instanceof TimeDelta)) return undefined;
    return this.seconds - other.seconds || this.micros - other.micros;
  }
  override operate(operator: string, other: Value, reflected: boolean): Value | undefined {
    if (other instanceof TimeDelta) {
      if (operator === '+') return new TimeDelta(this.seconds + other.seconds, this.micros + other.micros);
      if (operator === '-' && !reflected)
        return new TimeDelta(this.seconds - other.seconds, this.micros - other.micros);
      if (operator === '/' || operator === '//') {
        const [a, b] = reflected ? [other.total, this.total] : [this.total, other.total];
        if (b === 0) throw new JinjaError('division by zero');
        return operator === '/' ? float(a / b) : Math.floor(a / b);
      }
      return undefined;
    }
    const factor = asNumber(other);
    if (factor === null) return undefined;
    if (operator === '*') return this.scaled(factor);
    if (operator !== '/' || reflected) return undefined;
    if (factor === 0) throw new JinjaError('division by zero');
    return TimeDelta.ofSeconds(this.total / factor);
  }
  private scaled(factor: number): TimeDelta {
    if (Number.isInteger(factor)) return new TimeDelta(this.seconds * factor, this.micros * factor);
    return TimeDelta.ofSeconds(this.total * factor);
  }
}

const UNITS: readonly [name: string, seconds: number][] = [
  ['days', DAY],
  ['seconds', 1],
  ['microseconds', 1 / MICROS],
  ['milliseconds', 0.001],
  ['minutes', 60],
  ['hours', 3600],
  ['weeks', 7 * DAY],
];

/** `timedelta(days=1, hours=2)`, with Python's order of arguments. */
export const timedelta = new Callable('timedelta', (raw) => {
  const args = new ArgumentReader('timedelta()', raw);
  let result = new TimeDelta(0);
  for (const [name, size] of UNITS) {
    const amount = args.number(name, 0);
    if (name === 'microseconds') result = new TimeDelta(result.seconds, result.micros + amount);
    else if (Number.isInteger(amount * size)) result = new TimeDelta(result.seconds + amount * size, result.micros);
    else {
      const part = TimeDelta.ofSeconds(amount * size);
      result = new TimeDelta(result.seconds + part.seconds, result.micros + part.micros);
    }
  }
  args.done();
  return result;
});

/** Arguments by position and by name, for functions written here. */
import { read } from './budget.ts';
import {
  asNumber,
  isInteger,
  JinjaError,
  str,
  truth,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from './values.ts';

const MOST_FORMAT = 1000;

/** Reads the arguments of one call: each by its place or its name, in the order of the names. */
export class ArgumentReader {
  readonly #args: Arguments;
  readonly #what: string;
  #taken = 0;
  #seen = new Set<string>();
  constructor(what: string, args: Arguments) {
    this.#what = what;
    this.#args = args;
  }

  /** Undefined: not given. */
  next(name: string): Value | undefined {
    this.#seen.add(name);
    const place = this.#taken++;
    const named = this.#args.named.get(name);
    if (place >= this.#args.positional.length) return named;
    if (named !== undefined) throw new JinjaError(`${this.#what} got multiple values for argument '${name}'`);
    return this.#args.positional[place];
  }
  required(name: string): Value {
    const value = this.next(name);
    if (value === undefined) throw new JinjaError(`${this.#what} is missing its argument '${name}'`);
    return value instanceof Undefined ? value.fail() : value;
  }
  text(name: string, fallback?: string): string {
    const value = fallback === undefined ? this.required(name) : this.next(name);
    const text = value === undefined ? (fallback ?? '') : str(value, this.#args.budget);
    read(this.#args.budget, text.length);
    return text;
  }
  /** How a date is written. */
  format(name: string): string {
    const text = this.text(name);
    if (text.length > MOST_FORMAT) throw new JinjaError(`a format is longer than ${MOST_FORMAT} characters`);
    this.#args.budget.step(text.length);
    return text;
  }
  integer(name: string, fallback?: number): number {
    const value = fallback === undefined ? this.required(name) : this.next(name);
    if (value === undefined) return fallback ?? 0;
    if (value instanceof Undefined) return value.fail();
    if (typeof value === 'boolean') return Number(value);
    if (!isInteger(value))
      throw new JinjaError(`${this.#what}: '${name}' must be a whole number, not ${typeName(value)}`);
    return value;
  }
  number(name: string, fallback: number): number {
    const value = this.next(name);
    if (value === undefined) return fallback;
    const number = asNumber(value);
    if (number === null) throw new JinjaError(`${this.#what}: '${name}' must be a number, not ${typeName(value)}`);
    return number;
  }
  flag(name: string, fallback: boolean): boolean {
    const value = this.next(name);
    return value === undefined ? fallback : truth(value);
  }
  /** Nothing is left over. */
  done(): void {
    if (this.#args.positional.length > this.#taken)
      throw new JinjaError(`${this.#what} takes at most ${this.#taken} arguments`);
    for (const name of this.#args.named.keys())
      if (!this.#seen.has(name)) throw new JinjaError(`${this.#what} got an unexpected argument '${name}'`);
  }
}

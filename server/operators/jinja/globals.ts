/** Functions that every template has: range, dict, namespace, joiner, cycler. */
import { ArgumentReader } from './arguments.ts';
import { made, read } from './budget.ts';
import { Callable, iterate, JinjaError, PyObject, type Dict, type Value } from './values.ts';

const MAX_RANGE = 10_000;

/** What `namespace()` makes: a `set` inside a loop can change its members. */
export class Namespace extends PyObject {
  readonly typeName = 'Namespace';
  readonly #members = new Map<string, Value>();
  member(name: string): Value | undefined {
    return this.#members.get(name);
  }
  override item(key: Value): Value | undefined {
    return typeof key === 'string' ? this.#members.get(key) : undefined;
  }
  set(name: string, value: Value): void {
    this.#members.set(name, value);
  }
  str(): string {
    return '<Namespace>';
  }
}

const range = new Callable('range', (raw) => {
  const args = new ArgumentReader('range()', raw);
  const first = args.integer('start');
  const second = args.next('stop');
  const step = args.integer('step', 1);
  const [start, end] = second === undefined ? [0, first] : [first, second];
  if (typeof end !== 'number') throw new JinjaError('range() takes whole numbers');
  if (step === 0) throw new JinjaError('range() arg 3 must not be zero');
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (count > MAX_RANGE) throw new JinjaError(`range() of more than ${MAX_RANGE} items`);
  read(raw.budget, count);
  raw.budget.size(count);
  return Array.from({ length: count }, (_, index) => start + index * step);
});

/** `dict(a=1)`, `dict(pairs)`. */
const dict = new Callable('dict', ({ positional: [given], named, budget }) => {
  const result: Dict = new Map();
  if (given instanceof Map) for (const [key, value] of given) result.set(key, value);
  else
    for (const pair of given === undefined ? [] : iterate(given, budget)) {
      const [key = null, value = null] = iterate(pair, budget);
      result.set(key, value);
    }
  for (const [key, value] of named) result.set(key, value);
  read(budget, result.size);
  return made(budget, result);
});

const namespace = new Callable('namespace', (args) => {
  const result = new Namespace();
  const given = dict.call(args);
  if (given instanceof Map) for (const [key, value] of given) if (typeof key === 'string') result.set(key, value);
  return result;
});

const joiner = new Callable('joiner', (raw) => {
  const glue = new ArgumentReader('joiner()', raw).text('sep', ', ');
  let used = false;
  return new Callable('joiner', () => {
    const text = used ? glue : '';
    used = true;
    return text;
  });
});

class Cycler extends PyObject {
  readonly typeName = 'Cycler';
  readonly #items: readonly Value[];
  #at = 0;
  constructor(items: readonly Value[]) {
    super();
    if (items.length === 0) throw new JinjaError('at least one item has to be provided');
    this.#items = items;
  }
  member(name: string): Value | undefined {
    if (name === 'current') return this.#items[this.#at] ?? null;
    if (name === 'next')
      return new Callable('next', () => {
        const value = this.#items[this.#at] ?? null;
        this.#at = (this.#at + 1) % this.#items.length;
        return value;
      });
    if (name === 'reset') return new Callable('reset', () => ((this.#at = 0), null));
    return undefined;
  }
  str(): string {
    return '<Cycler>';
  }
}
const cycler = new Callable('cycler', ({ positional }) => new Cycler(positional));

export const GLOBALS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['range', range],
  ['dict', dict],
  ['namespace', namespace],
  ['joiner', joiner],
  ['cycler', cycler],
]);

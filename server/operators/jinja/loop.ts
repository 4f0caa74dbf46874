import { Callable, equals, JinjaError, PyObject, Tuple, Undefined, type Value } from './values.ts';

/** `loop` of a for block: where in the list this round is. */
class Loop extends PyObject {
  readonly typeName = 'LoopContext';
  readonly #items: readonly Value[];
  readonly #at: number;
  readonly #members: { readonly [name: string]: () => Value };
  constructor(
    items: readonly Value[],
    at: number,
    depth: number,
    shared: { changed: Callable; cycle(at: number): Callable },
  ) {
    super();
    this.#items = items;
    this.#at = at;
    const { length } = items;
    const beside = (index: number, which: string) => (): Value =>
      index >= 0 && index < length ? (items[index] ?? null) : new Undefined(`there is no ${which} item`);
    this.#members = {
      index: () => at + 1,
      index0: () => at,
      revindex: () => length - at,
      revindex0: () => length - at - 1,
      first: () => at === 0,
      last: () => at === length - 1,
      length: () => length,
      depth: () => depth + 1,
      depth0: () => depth,
      previtem: beside(at - 1, 'previous'),
      nextitem: beside(at + 1, 'next'),
      cycle: () => shared.cycle(at),
      changed: () => shared.changed,
    };
  }
  member(name: string): Value | undefined {
    return Object.hasOwn(this.#members, name) ? this.#members[name]?.() : undefined;
  }
  str(): string {
    return `<LoopContext ${this.#at + 1}/${this.#items.length}>`;
  }
}

/** Gives the `loop` of one round after the other. A recursive one is a function that goes on with another list. */
export function createLoop(items: readonly Value[], depth: number, again: Callable | null): { next(): Value } {
  let at = -1;
  let last: Value | undefined;
  const changed = new Callable('changed', ({ positional, budget }) => {
    const now = Tuple.make(positional);
    const isNew = last === undefined || !equals(last, now, budget);
    last = now;
    return isNew;
  });
  const cycle = (round: number) =>
    new Callable('cycle', ({ positional }) => {
      if (positional.length === 0) throw new JinjaError('no items for cycling given');
      return positional[round % positional.length] ?? null;
    });
  return {
    next() {
      at += 1;
      const loop = new Loop(items, at, depth, { changed, cycle });
      return again ? new Callable('loop', again.call, loop) : loop;
    },
  };
}

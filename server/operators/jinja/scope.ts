/** Names and their values: each block that has names of its own is a scope inside another. */
import type { Value } from './values.ts';

/** The outermost names: looked up when they are asked for. */
export type Globals = (name: string) => Value | undefined;

export class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | Globals;
  constructor(outer: Scope | Globals) {
    this.#outer = outer;
  }
  get(name: string): Value | undefined {
    if (this.#names.has(name)) return this.#names.get(name);
    return this.#outer instanceof Scope ? this.#outer.get(name) : this.#outer(name);
  }
  set(name: string, value: Value): void {
    this.#names.set(name, value);
  }
}

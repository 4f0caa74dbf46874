/** What authors map over: `each`, `eachOf`, `zip` and `concat` of lists and of results that are lists. */
import type { ListSource } from './map-spec.ts';
import type { Json } from './protocol.ts';
import type { Inputs, TaskRef } from './task-types.ts';

declare const ITEM: unique symbol;

/** Lists that are put together; made by `zip` and `concat`. */
export interface JoinedList<Item> {
  readonly listSource: ListSource;
  readonly [ITEM]?: Item;
}
/** A list as it stands, the result of a task, or lists put together. */
export type ListOf<Item> = readonly Item[] | TaskRef<readonly Item[]> | JoinedList<Item>;

/** An argument of which each instance gets one item. */
export interface Each<Item = unknown> {
  readonly eachItem: ListSource;
  readonly [ITEM]?: Item;
}
/** All arguments of an instance come from one item, an object. `inputs` are the same for all. */
export interface EachOf<Row = object, Fixed extends Inputs = Inputs> {
  readonly eachRow: ListSource;
  readonly fixed: Fixed;
  readonly [ITEM]?: Row;
}

/** An instance per item of a list, or per [key, value] of an object. Several `each` give every combination; the last changes fastest. */
export function each<Item>(list: ListOf<Item>): Each<Item>;
export function each<Value>(object: TaskRef<{ [key: string]: Value }>): Each<[string, Value]>;
export function each(list: TaskRef<Json>): Each<Json>;
export function each(list: unknown): Each {
  return { eachItem: sourceOf(list, 'each()') };
}

/** An instance per item, whose fields are its arguments. Further inputs are the same for all. */
export function eachOf<Row extends object, Fixed extends Inputs = {}>(
  rows: ListOf<Row>,
  inputs?: Fixed,
): EachOf<Row, Fixed> {
  return { eachRow: sourceOf(rows, 'eachOf()'), fixed: inputs ?? ({} as Fixed) };
}

type Items<Lists extends readonly unknown[]> = {
  [At in keyof Lists]: Lists[At] extends ListOf<infer Item> ? Item : never;
};

/** The first items of all lists together, the second ones, … as long as the shortest. */
export const zip = <Lists extends readonly ListOf<unknown>[]>(...lists: Lists): JoinedList<Items<Lists>> => ({
  listSource: { kind: 'zip', sources: lists.map((list) => sourceOf(list, 'zip()')) },
});

/** As `zip`, as long as the longest: `fill` stands for what is missing. */
export const zipLongest = <Fill extends Json, Lists extends readonly ListOf<unknown>[]>(
  fill: Fill,
  ...lists: Lists
): JoinedList<{ [At in keyof Items<Lists>]: Items<Lists>[At] | Fill }> => ({
  listSource: { kind: 'zip', sources: lists.map((list) => sourceOf(list, 'zipLongest()')), fill },
});

/** One list after the other. */
export const concat = <Item>(...lists: ListOf<Item>[]): JoinedList<Item> => ({
  listSource: { kind: 'concat', sources: lists.map((list) => sourceOf(list, 'concat()')) },
});

function sourceOf(list: unknown, where: string): ListSource {
  if (Array.isArray(list)) return { kind: 'literal', items: list as Json[] };
  if (typeof list === 'object' && list !== null) {
    if ('listSource' in list) return (list as JoinedList<unknown>).listSource;
    if ('taskId' in list && 'key' in list) return { kind: 'result', task: String(list.taskId), key: String(list.key) };
  }
  throw new Error(`${where}: pass a list, a task whose result is a list, zip() or concat().`);
}

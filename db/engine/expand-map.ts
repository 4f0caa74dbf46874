/** The arguments of each instance of a mapped task, from its sources. Pure. */
import { MAP_LIMIT, type ListSource, type MapSpec } from '#sdk/map-spec.ts';
import type { Json } from '#sdk/protocol.ts';

export type MapItem = { [argument: string]: Json };
export type Expanded = { items: MapItem[] } | { problem: string };

/** What a task has made under a key: of a mapped one the list of what its instances made; undefined: nothing. */
export type Lookup = (taskId: string, key: string) => Json | undefined;

class MapProblem extends Error {}

export function expandMap(map: MapSpec, lookup: Lookup): Expanded {
  const limit = map.limit ?? MAP_LIMIT;
  try {
    const items =
      map.over.kind === 'product'
        ? productOf(map.over.axes, limit, lookup)
        : listOf(map.over.from, lookup).map(argumentsOf);
    checkLength(items.length, limit);
    return { items };
  } catch (error) {
    if (error instanceof MapProblem) return { problem: error.message };
    throw error;
  }
}

/** The last axis changes fastest. */
function productOf(axes: { [argument: string]: ListSource }, limit: number, lookup: Lookup): MapItem[] {
  const lists = Object.entries(axes).map(([name, source]) => [name, listOf(source, lookup)] as const);
  // Before it is made: the product of a few long lists has no room anywhere
  checkLength(
    lists.reduce((product, [, list]) => product * list.length, 1),
    limit,
  );
  let items: MapItem[] = [{}];
  for (const [name, list] of lists) items = items.flatMap((item) => list.map((value) => ({ ...item, [name]: value })));
  return items;
}

function checkLength(length: number, limit: number): void {
  if (length > limit)
    throw new MapProblem(
      `It would have ${length} instances; at most ${limit} are allowed. Raise the map's limit, or give it less.`,
    );
}

function argumentsOf(row: Json, index: number): MapItem {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row;
  throw new MapProblem(`Item ${index} of its list is ${kindOf(row)}. Each item must be an object of arguments.`);
}

/** A task that made nothing (it was skipped, or has failed) gives nothing to run over. */
function listOf(source: ListSource, lookup: Lookup): Json[] {
  switch (source.kind) {
    case 'literal':
      return source.items;
    case 'concat':
      return source.sources.flatMap((inner) => listOf(inner, lookup));
    case 'zip':
      return zip(
        source.sources.map((inner) => listOf(inner, lookup)),
        source.fill,
      );
    case 'result':
      return readList(source.task, source.key, lookup(source.task, source.key));
  }
}

function readList(task: string, key: string, value: Json | undefined): Json[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  if (typeof value === 'object') return Object.entries(value);
  const name = key === 'return_value' ? 'result' : `'${key}'`;
  throw new MapProblem(`The ${name} of '${task}' is ${kindOf(value)}. To map over it, return a list or an object.`);
}

/** As long as the shortest; with something to fill up with, as the longest. */
function zip(lists: Json[][], fill: Json | undefined): Json[] {
  const lengths = lists.map((list) => list.length);
  const length = lists.length === 0 ? 0 : fill === undefined ? Math.min(...lengths) : Math.max(...lengths);
  return Array.from({ length }, (_, i) => lists.map((list) => (i < list.length ? (list[i] ?? null) : (fill ?? null))));
}

const kindOf = (value: Json): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;

/** Tasks and keys that a map reads. */
export function sourcesOf(map: MapSpec): { task: string; key: string }[] {
  const of = (source: ListSource): { task: string; key: string }[] => {
    if (source.kind === 'literal') return [];
    return source.kind === 'result' ? [{ task: source.task, key: source.key }] : source.sources.flatMap(of);
  };
  return map.over.kind === 'rows' ? of(map.over.from) : Object.values(map.over.axes).flatMap(of);
}

/** What a mapped task or group runs over. */
import type { Json } from './protocol.ts';

/** Instances of a map when it does not say otherwise, and the highest limit it may set. */
export const MAP_LIMIT = 1024;
export const MAX_MAP_LIMIT = 100_000;

/** One instance per item. An argument of the map is available in each instance as an input of that name. */
export interface MapSpec {
  over: MapSource;
  /** More instances than this fail the task; null: MAP_LIMIT. */
  limit: number | null;
  /** Template of an instance's name for people, over its arguments. */
  name: string | null;
}

export type MapSource =
  /** Each item of one axis with each of the others; the last axis changes fastest. */
  | { kind: 'product'; axes: { [argument: string]: ListSource } }
  /** Each item is an object of arguments. */
  | { kind: 'rows'; from: ListSource };

export type ListSource =
  | { kind: 'literal'; items: Json[] }
  /** A list, or an object: then its [key, value] pairs. Its task is an upstream. */
  | { kind: 'result'; task: string; key: string }
  /** Lists of the items at the same place; as long as the shortest, or with `fill` as the longest. */
  | { kind: 'zip'; sources: ListSource[]; fill?: Json }
  | { kind: 'concat'; sources: ListSource[] };

export const MAP_TASK_SUFFIX = '.__map__';
/** The task that counts the instances of a mapped group. */
export const mapTaskId = (groupId: string): string => `${groupId}${MAP_TASK_SUFFIX}`;
/** The mapped group of a map task. */
export const groupOfMapTask = (taskId: string): string => taskId.slice(0, -MAP_TASK_SUFFIX.length);

const listsOf = (over: MapSource): ListSource[] => (over.kind === 'rows' ? [over.from] : Object.values(over.axes));

/** The tasks whose results it needs, each once. */
export function sourceTasks({ over }: MapSpec): string[] {
  const tasks = new Set<string>();
  const visit = (source: ListSource): void => {
    if (source.kind === 'result') tasks.add(source.task);
    else if (source.kind !== 'literal') source.sources.forEach(visit);
  };
  listsOf(over).forEach(visit);
  return [...tasks];
}

/** How many instances it makes, as far as that is known without any result; null: not known. */
export function knownLength({ over }: MapSpec): number | null {
  return listsOf(over)
    .map(lengthOf)
    .reduce((product, length) => (product === null || length === null ? null : product * length), 1);
}

function lengthOf(source: ListSource): number | null {
  if (source.kind === 'literal') return source.items.length;
  if (source.kind === 'result') return null;
  const lengths = source.sources.map(lengthOf);
  if (!lengths.every((length) => length !== null)) return null;
  if (source.kind === 'concat') return lengths.reduce((sum, length) => sum + length, 0);
  return source.fill === undefined ? Math.min(...lengths) : Math.max(...lengths);
}

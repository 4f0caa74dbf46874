/** From the options of an author to the fields of a spec. */
import type { GroupRef, Labelled, Upstream } from './flow-types.ts';
import type { Each, EachOf } from './lists.ts';
import type { ListSource } from './map-spec.ts';
import type { TaskDefaults, TaskRef } from './task-types.ts';

export type Fields = { [key: string]: unknown };

export const withoutUndefined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** What a DAG or a group may say for its tasks, beside what it says of itself. */
const DEFAULTS: ReadonlySet<string> = new Set<keyof TaskDefaults>([
  ...(['retries', 'retryDelay', 'retryBackoff', 'maxRetryDelay', 'retryRules', 'infraRetries'] as const),
  ...(['executionTimeout', 'queue', 'memoryLimit', 'executor', 'pod'] as const),
  ...(['priority', 'weightRule', 'pool', 'poolSlots'] as const),
  ...(['maxActiveTis', 'maxActiveTisPerRun', 'concurrencyKey', 'rateLimit'] as const),
]);

export function splitDefaults(options: object): { own: Fields; defaults: Fields } {
  const entries = Object.entries(withoutUndefined(options as Fields));
  return {
    own: Object.fromEntries(entries.filter(([name]) => !DEFAULTS.has(name))),
    defaults: Object.fromEntries(entries.filter(([name]) => DEFAULTS.has(name))),
  };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
export const isRef = (value: unknown): value is TaskRef => isObject(value) && 'taskId' in value && 'key' in value;
const isGroup = (value: unknown): value is GroupRef => isObject(value) && 'groupId' in value;
const isLabelled = (value: unknown): value is Labelled => isObject(value) && 'labelled' in value;
const isEach = (value: unknown): value is Each => isObject(value) && 'eachItem' in value;
const isEachOf = (value: unknown): value is EachOf => isObject(value) && 'eachRow' in value;

/** The id of a task or a group. Throws an error that says what to pass. */
export function idOf(where: string, ref: unknown): string {
  if (isRef(ref)) return ref.taskId;
  if (isGroup(ref)) return ref.groupId;
  throw new Error(`${where} is ${describe(ref)}. Pass what task(), bash() or empty() returned.`);
}

/** Ids to wait for, and what is written at the edges from them. */
export function upstreamOf(where: string, after: Upstream | readonly Upstream[] | undefined) {
  const upstream: string[] = [];
  const edgeLabels: { [id: string]: string } = {};
  for (const [index, ref] of (after === undefined ? [] : [after].flat()).entries()) {
    const id = idOf(`${where}: after[${index}]`, isLabelled(ref) ? ref.labelled : ref);
    upstream.push(id);
    if (isLabelled(ref)) edgeLabels[id] = ref.label;
  }
  return { upstream, edgeLabels: Object.keys(edgeLabels).length > 0 ? edgeLabels : undefined };
}

/** Inputs that are results, and those over which is mapped. */
export function inputsOf(where: string, written: object) {
  const inputs: { [name: string]: { task: string; key: string } } = {};
  const axes: { [name: string]: ListSource } = {};
  const given = isEachOf(written) ? written.fixed : written;
  for (const [name, ref] of Object.entries(given) as [string, unknown][]) {
    if (isRef(ref)) inputs[name] = { task: ref.taskId, key: ref.key };
    else if (isEach(ref) && !isEachOf(written)) axes[name] = ref.eachItem;
    else
      throw new Error(
        `${where}: the input '${name}' is ${describe(ref)}. Pass what task(), bash() or empty() returned.`,
      );
  }
  return { inputs, over: isEachOf(written) ? { kind: 'rows', from: written.eachRow } : overOf(axes) };
}

const overOf = (axes: { [name: string]: ListSource }) =>
  Object.keys(axes).length > 0 ? { kind: 'product', axes } : undefined;

/** The `map` of a spec; undefined without anything to map over. */
export function mapOf(where: string, over: object | undefined, limit: unknown, name: unknown): object | undefined {
  if (over !== undefined) return withoutUndefined({ over, limit, name });
  if (limit !== undefined || name !== undefined)
    throw new Error(`${where}: mapLimit and mapName are for mapped tasks. Give an input with each().`);
  return undefined;
}

const describe = (value: unknown) => (value === undefined || value === null ? String(value) : `a ${typeof value}`);

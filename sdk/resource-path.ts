/**
 * Paths into objects of Kubernetes, as kubectl and JSONPath write them: `$.status.phase`, `{.status.conditions[?(@.type=="Ready")].status}`,
 * `.metadata.labels.app\.kubernetes\.io/name`, `$.items[*]['odd key'][-1]`.
 */
import type { Json } from './protocol.ts';

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
interface Test {
  /** Within the entry. */
  path: ResourcePath;
  /** Null: it is there. */
  compare: { by: Comparison; with: Json } | null;
}
/** A key, an index (from the end when negative), all entries, or those of which one of the lists of tests holds as a whole. */
type Step = { at: string | number } | { all: true } | { where: Test[][] };
export type ResourcePath = readonly Step[];

const NAME = /\.((?:[^\s.[\]\\'"()*?@=<>!&|]|\\.)+)/y;
const BRACKET = /\[\s*(?:(-?\d{1,9})|(\*)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]|\.(\*)/y;
const FILTER = /\[\s*\?\s*/y;
const COMPARISON = /\s*(==|!=|<=|>=|<|>)\s*/y;
const LITERAL = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)/y;
const JOIN = /\s*(&&|\|\|)\s*/y;

const unescaped = (text: string): string => text.replaceAll(/\\(.)/g, '$1');

class PathError extends Error {}

/** Reads from left to right; each part takes what it is made of. */
function createReader(text: string) {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const fail = (hint: string): never => {
    throw new PathError(`'${text.slice(at, at + 20)}' cannot be read. ${hint}`);
  };
  return { take, fail, isDone: () => at === text.length };
}
type Reader = ReturnType<typeof createReader>;

/** A text instead of a path says what is wrong. */
export function parseResourcePath(written: string): ResourcePath | string {
  const inner = /^\{(.*)\}$/s.exec(written.trim())?.[1] ?? written.trim();
  if (!/^(\$|\.|\[)/.test(inner)) return "It must start with '$' or '.', which is the whole object.";
  const reader = createReader(inner.replace(/^\$/, ''));
  try {
    const path = readSteps(reader);
    if (!reader.isDone()) reader.fail(`Write .name, [0], [*], ['odd name'] or [?(@.type=="Ready")].`);
    return path;
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
}

function readSteps(reader: Reader): Step[] {
  const steps: Step[] = [];
  for (;;) {
    const step = readStep(reader);
    if (!step) return steps;
    steps.push(step);
    if (steps.length > 100) reader.fail('More than 100 steps.');
  }
}

function readStep(reader: Reader): Step | null {
  const bracket = reader.take(BRACKET);
  if (bracket) {
    const [, index, all, single, double, dotted] = bracket;
    if (index !== undefined) return { at: Number(index) };
    if (all !== undefined || dotted !== undefined) return { all: true };
    return { at: unescaped(single ?? double ?? '') };
  }
  const name = reader.take(NAME);
  if (name) return { at: unescaped(name[1] ?? '') };
  return reader.take(FILTER) ? { where: readFilter(reader) } : null;
}

function readFilter(reader: Reader): Test[][] {
  const isWrapped = reader.take(/\(\s*/y) !== null;
  const either: Test[][] = [[readTest(reader)]];
  for (let join = reader.take(JOIN); join; join = reader.take(JOIN)) {
    const test = readTest(reader);
    if (join[1] === '||') either.push([test]);
    else either.at(-1)?.push(test);
  }
  if (isWrapped && !reader.take(/\s*\)/y)) reader.fail(`A ')' is missing.`);
  if (!reader.take(/\s*\]/y)) reader.fail(`A ']' is missing.`);
  return either;
}

function readTest(reader: Reader): Test {
  if (!reader.take(/@/y)) reader.fail(`Write what an entry must have: @.type=="Ready".`);
  const path = readSteps(reader);
  const compared = reader.take(COMPARISON);
  if (!compared) return { path, compare: null };
  const literal = reader.take(LITERAL) ?? reader.fail(`Compare with a text in quotes, a number, true, false or null.`);
  const [, single, double, number, word] = literal;
  const value: Json =
    single !== undefined || double !== undefined
      ? unescaped(single ?? double ?? '')
      : (JSON.parse(number ?? word ?? 'null') as Json);
  return { path, compare: { by: compared[1] as Comparison, with: value } };
}

/** All that lies there, in the order of the object. */
export function valuesAt(value: Json, path: ResourcePath): Json[] {
  return path.reduce<Json[]>((values, step) => values.flatMap((each) => stepFrom(each, step)), [value]);
}

function stepFrom(value: Json, step: Step): Json[] {
  if (typeof value !== 'object' || value === null) return [];
  if (!('at' in step)) {
    const entries = Array.isArray(value) ? value : Object.values(value);
    return 'all' in step ? entries : entries.filter((entry) => step.where.some((tests) => tests.every(holds(entry))));
  }
  if (Array.isArray(value)) {
    const entry = typeof step.at === 'number' ? value.at(step.at) : undefined;
    return entry === undefined ? [] : [entry];
  }
  const inner = Object.hasOwn(value, step.at) ? value[step.at] : undefined;
  return inner === undefined ? [] : [inner];
}

const holds =
  (entry: Json) =>
  ({ path, compare }: Test): boolean => {
    const found = valuesAt(entry, path);
    return compare === null ? found.length > 0 : found.some((value) => compares(value, compare.by, compare.with));
  };

function compares(value: Json, by: Comparison, wanted: Json): boolean {
  if (by === '==') return value === wanted;
  if (by === '!=') return value !== wanted;
  const isOrdered = typeof value === typeof wanted && (typeof value === 'number' || typeof value === 'string');
  if (!isOrdered) return false;
  const [a, b] = [value, wanted as string | number];
  return by === '<' ? a < b : by === '<=' ? a <= b : by === '>' ? a > b : a >= b;
}

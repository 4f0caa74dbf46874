/** Readers of single fields of a DAG spec. Each checks, converts friendly forms, and knows its JSON Schema. */
import { parseBytes, parseDuration } from './duration.ts';
import { didYouMean } from './near-match.ts';
import type { Json } from './protocol.ts';

export type Report = (path: string, message: string) => void;
export type JsonSchema = { [key: string]: unknown };

export interface Field<T = unknown> {
  /** The value in its canonical form; reports what is wrong with it and gives anything then. */
  read(value: unknown, path: () => string, report: Report): T;
  schema: JsonSchema;
  /** What an absent field becomes; without it the field is required. */
  fallback?: () => T;
  /** The value of a field that is both preset and written; without it what is written. */
  combine?(preset: T, own: T, written: unknown): T;
}
export type Fields = { [name: string]: Field };
export type Plain = { [key: string]: unknown };

export const isPlainObject = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** How a wrong value is named in a message. */
export function show(value: unknown): string {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'undefined')
    return `a ${typeof value}`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? `'${value}'` : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

export const field = <T>(
  schema: JsonSchema,
  expected: string,
  accept: (value: unknown) => T | undefined,
): Field<T> & { or<F>(fallback: F): Field<T | F> } => {
  const read = (value: unknown, path: () => string, report: Report): T => {
    const accepted = accept(value);
    if (accepted === undefined) report(path(), `${show(value)} is not ${expected}.`);
    return accepted as T;
  };
  return {
    schema,
    read,
    or: (fallback) => ({
      schema: fallback === null ? { anyOf: [schema, { type: 'null' }] } : { ...schema, default: fallback },
      read: (value, path, report) => (value === null && fallback === null ? fallback : read(value, path, report)),
      fallback: () => fallback,
    }),
  } as Field<T> & { or<F>(fallback: F): Field<T | F> };
};

export const ID_PATTERN = /^[A-Za-z0-9_.-]{1,200}$/;
export const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/;

export const id = field(
  { type: 'string', pattern: ID_PATTERN.source },
  'an id: 1 to 200 of the characters A-Z a-z 0-9 _ . -',
  (value) => (typeof value === 'string' && ID_PATTERN.test(value) ? value : undefined),
);
/** `2,000`. By hand: the first use of Intl costs every process that loads a DAG 20 ms. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
export const text = (maxLength: number) =>
  field({ type: 'string', maxLength }, `a text of at most ${grouped(maxLength)} characters`, (value) =>
    typeof value === 'string' && value.length <= maxLength ? value : undefined,
  );
export const boolean = field({ type: 'boolean' }, 'true or false', (value) =>
  typeof value === 'boolean' ? value : undefined,
);
export const integer = (minimum: number, maximum: number) =>
  field({ type: 'integer', minimum, maximum }, `a whole number from ${minimum} to ${maximum}`, (value) =>
    Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum ? Number(value) : undefined,
  );
export const number = (minimum: number, maximum: number) =>
  field({ type: 'number', minimum, maximum }, `a number from ${minimum} to ${maximum}`, (value) =>
    typeof value === 'number' && value >= minimum && value <= maximum ? value : undefined,
  );
export const oneOf = <T extends string>(names: readonly T[]) => {
  const known = new Set<unknown>(names);
  return field({ enum: [...names] }, `one of ${names.join(', ')}`, (value) =>
    known.has(value) ? (value as T) : undefined,
  );
};
/** Seconds: the longest duration. */
export const TEN_YEARS = 315_360_000;
export const durationSchema: JsonSchema = {
  anyOf: [
    { type: 'number', minimum: 0, maximum: TEN_YEARS, description: 'Seconds' },
    { type: 'string', pattern: '^(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d|w)|P.+)$' },
  ],
};
export const duration = (minimum: number) =>
  field(
    durationSchema,
    `a duration${minimum > 0 ? ` of at least ${minimum} s` : ''} and at most ten years: seconds, '30s', '5m', '2h', '1d' or ISO 8601`,
    (value) => {
      const seconds = parseDuration(value);
      return seconds !== null && seconds >= minimum && seconds <= TEN_YEARS ? seconds : undefined;
    },
  );
export const bytes = field(
  {
    anyOf: [
      { type: 'integer', minimum: 1 },
      { type: 'string', pattern: '^\\d+(\\.\\d+)?(Ki|Mi|Gi|Ti)$' },
    ],
  },
  "a size of at least 1Mi: bytes, '512Mi' or '2Gi'",
  (value) => {
    const size = parseBytes(value);
    return size !== null && size >= 2 ** 20 ? size : undefined;
  },
);

/** That, or null; absent it is null. */
export const orNull = <T>(field: Field<T>): Field<T | null> => ({
  schema: { anyOf: [field.schema, { type: 'null' }] },
  fallback: () => null,
  read: (value, path, report) => (value === null ? null : field.read(value, path, report)),
});

/** A list; absent it is empty. */
export const list = <T>(item: Field<T>, most = 1000): Field<T[]> => ({
  schema: { type: 'array', items: item.schema, maxItems: most },
  fallback: () => [],
  read(value, path, report) {
    if (Array.isArray(value) && value.length <= most)
      return value.map((entry: unknown, index) => item.read(entry, () => `${path()}[${index}]`, report));
    report(path(), `${show(value)} is not a list of at most ${most} entries.`);
    return [];
  },
});

/** A list; one entry alone stands for a list of it. `what`: the entries, in a message. */
export const oneOrMore = <T>(item: Field<T>, most: number, what = 'entries'): Field<T[]> => ({
  schema: { anyOf: [{ type: 'array', items: item.schema, maxItems: most }, item.schema] },
  fallback: () => [],
  read(value, path, report) {
    const entries: unknown[] = Array.isArray(value) ? value : [value];
    if (entries.length > most) report(path(), `${entries.length} ${what}; at most ${most} are allowed.`);
    return entries.map((entry, i) => item.read(entry, Array.isArray(value) ? () => `${path()}[${i}]` : path, report));
  },
});

/** A list of texts; one text alone stands for a list of it. */
export const textList = (item: Field<string>, maxItems: number): Field<string[]> => ({
  schema: { anyOf: [{ type: 'array', items: item.schema, maxItems }, item.schema] },
  fallback: () => [],
  read(value, path, report) {
    const list = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list)) {
      report(path(), `${show(value)} is not a list.`);
      return [];
    }
    if (list.length > maxItems) report(path(), `${list.length} entries; at most ${maxItems} are allowed.`);
    // One that is wrong is no text: the checks that follow pass it over
    return list.map((entry: unknown, index) => item.read(entry, () => `${path()}[${index}]`, report) ?? '');
  },
});

/** An object of free keys. */
export const record = <T>(key: RegExp, item: Field<T>, maxEntries = 1000): Field<{ [name: string]: T }> => ({
  schema: { type: 'object', propertyNames: { pattern: key.source }, additionalProperties: item.schema },
  fallback: () => ({}),
  read(value, path, report) {
    if (!isPlainObject(value)) {
      report(path(), `${show(value)} is not an object.`);
      return {};
    }
    const entries = Object.entries(value);
    if (entries.length > maxEntries) report(path(), `${entries.length} entries; at most ${maxEntries} are allowed.`);
    for (const [name] of entries)
      if (!key.test(name))
        report(`${path()}.${name}`, `'${name}' is not a name. Use letters, digits and _, no digit first.`);
    return Object.fromEntries(
      entries.map(([name, entry]) => [name, item.read(entry, () => `${path()}.${name}`, report)]),
    );
  },
});

/** Any JSON value. */
export const json: Field<Json> = {
  schema: {},
  read(value, path, report) {
    const problem = jsonProblem(value, 0);
    if (problem) report(path() + problem.at, problem.message);
    return problem ? null : (value as Json);
  },
};

const MAX_DEPTH = 64;
function jsonProblem(value: unknown, depth: number): { at: string; message: string } | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number')
    return Number.isFinite(value) ? null : { at: '', message: `${value} does not exist in JSON. Use null or a text.` };
  if (depth >= MAX_DEPTH) return { at: '', message: `Nested deeper than ${MAX_DEPTH} levels.` };
  if (typeof value !== 'object') return { at: '', message: `${show(value)} is not JSON.` };
  for (const [key, member] of Object.entries(value)) {
    const problem = jsonProblem(member, depth + 1);
    if (problem) return { at: (Array.isArray(value) ? `[${key}]` : `.${key}`) + problem.at, message: problem.message };
  }
  return null;
}

export type FieldsReader = (input: Plain, path: string, report: Report) => Plain;

/**
 * Makes a reader of objects with these fields; unknown and missing keys are reported. `presets` come before a field's own fallback.
 * Copies a template and overwrites what is given: a task says three of its sixteen fields, and there may be 50,000 tasks.
 */
export function createFieldsReader(fields: Fields, presets: Plain = {}): FieldsReader {
  const names = Object.keys(fields);
  const readers = new Map(Object.entries(fields));
  const template = Object.fromEntries(
    names.map((name) => [name, name in presets ? presets[name] : fields[name]?.fallback?.()]),
  );
  const required = names.filter((name) => !(name in presets) && !fields[name]?.fallback);
  const fresh = names.filter((name) => typeof template[name] === 'object' && template[name] !== null);
  return (input, path, report) => {
    const output = { ...template };
    const at = (name: string) => (path ? `${path}.${name}` : name);
    for (const name of fresh) if (input[name] === undefined) output[name] = structuredCopy(template[name]);
    for (const name in input) {
      const value = input[name];
      if (value === undefined) continue;
      const reader = readers.get(name);
      if (reader)
        output[name] = combined(
          reader,
          presets[name],
          reader.read(value, () => at(name), report),
          value,
        );
      else report(at(name), `Unknown key '${name}'.${didYouMean(name, names)}`);
    }
    for (const name of required) if (input[name] === undefined) report(at(name), `'${name}' is missing.`);
    return output;
  };
}

const combined = (field: Field, preset: unknown, own: unknown, written: unknown): unknown =>
  preset === undefined || !field.combine ? own : field.combine(preset, own, written);

/** Fallbacks are empty lists and objects; they must not be shared between tasks. */
const structuredCopy = (value: unknown) => (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Plain) });

/** The JSON Schema of an object with these fields. */
export function fieldsSchema(fields: Fields): JsonSchema {
  const names = Object.keys(fields);
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, fields[name]?.schema ?? {}])),
    required: names.filter((name) => !fields[name]?.fallback),
    additionalProperties: false,
  };
}

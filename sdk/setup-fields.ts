/** Fields of a task about setup, teardown and its edges. */
import type { TeardownSpec } from './dag-spec.ts';
import {
  boolean,
  createFieldsReader,
  fieldsSchema,
  id,
  ID_PATTERN,
  isPlainObject,
  show,
  text,
  textList,
  type Field,
  type Fields,
} from './spec-fields.ts';

const teardownFields: Fields = { setups: textList(id, 1000), failsRun: boolean.or(false) };
const readTeardown = createFieldsReader(teardownFields);

/** `true` stands for `{ setups: [] }`. */
export const teardown: Field<TeardownSpec | null> = {
  schema: { anyOf: [fieldsSchema(teardownFields), { type: 'boolean' }, { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    if (value === null || value === false) return null;
    if (value === true) return { setups: [], failsRun: false };
    if (isPlainObject(value)) return readTeardown(value, path(), report) as unknown as TeardownSpec;
    report(path(), `${show(value)} is not a teardown. Give true, or { setups: [ … ] }.`);
    return null;
  },
};

const label = text(200);
const MOST_LABELS = 10_000;

/** Text by the id of an upstream; ids hold dots, so this is no record of names. */
export const edgeLabels: Field<{ [upstream: string]: string }> = {
  schema: { type: 'object', propertyNames: { pattern: ID_PATTERN.source }, additionalProperties: label.schema },
  fallback: () => ({}),
  read(value, path, report) {
    if (!isPlainObject(value) || Object.keys(value).length > MOST_LABELS) {
      report(path(), `${show(value)} is not an object of at most ${MOST_LABELS} labels by upstream.`);
      return {};
    }
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([name, at]) => [name, label.read(at, () => `${path()}.${name}`, report)]));
  },
};

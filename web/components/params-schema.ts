export interface Parameter {
  name: string;
  type: string;
  default: string;
  required: boolean;
  description: string;
}

type Schema = Record<string, unknown>;
const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const properties = (schema: unknown): [string, Schema][] =>
  isObject(schema) && isObject(schema['properties'])
    ? Object.entries(schema['properties']).filter((entry): entry is [string, Schema] => isObject(entry[1]))
    : [];

/** The configuration that a run gets when nothing is given. */
export const defaultsOf = (schema: unknown): Schema =>
  Object.fromEntries(properties(schema).flatMap(([name, of]) => ('default' in of ? [[name, of['default']]] : [])));

/** The parameters of a DAG's JSON Schema, as a person reads them. */
export function parameters(schema: unknown): Parameter[] {
  const required = isObject(schema) && Array.isArray(schema['required']) ? schema['required'] : [];
  return properties(schema).map(([name, of]) => ({
    name,
    type: Array.isArray(of['enum'])
      ? of['enum'].map((value) => JSON.stringify(value)).join(' | ')
      : String(of['type'] ?? 'any'),
    default: 'default' in of ? JSON.stringify(of['default']) : '',
    required: required.includes(name) && !('default' in of),
    description: typeof of['description'] === 'string' ? of['description'] : '',
  }));
}

type ParsedConf = { ok: true; value: Schema } | { ok: false; reason: 'invalidJson' | 'notObject'; detail: string };

/** Reads what was typed; nothing typed is an empty configuration. */
export function parseConf(text: string): ParsedConf {
  if (text.trim() === '') return { ok: true, value: {} };
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? { ok: true, value } : { ok: false, reason: 'notObject', detail: '' };
  } catch (error) {
    return { ok: false, reason: 'invalidJson', detail: error instanceof Error ? error.message : String(error) };
  }
}

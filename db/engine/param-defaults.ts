import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';

/** The defaults of a params schema's properties. */
export function paramDefaults(schema: DagSpec['params']): { [key: string]: Json } {
  const properties = schema?.['properties'];
  if (!isObject(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) =>
      isObject(property) && property['default'] !== undefined ? [[name, property['default']]] : [],
    ),
  );
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

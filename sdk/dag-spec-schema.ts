/** The published JSON Schema of a DAG file, made from the same fields that are read. */
import { DAG_FIELDS, MAX_TASKS } from './dag-fields.ts';
import { fieldsSchema, type JsonSchema } from './spec-fields.ts';
import { GROUP_FIELDS, GROUP_WIRING } from './group-fields.ts';
import { MAP_SCHEMAS } from './map-fields.ts';
import { MAX_GROUPS } from './read-groups.ts';
import { KIND_NAMES, kindOf, PRESETTABLE } from './task-kinds.ts';

/** Written to sdk/dag-spec.schema.json by `npm run generate`. */
export function dagSpecJsonSchema(): JsonSchema {
  const dag = fieldsSchema(DAG_FIELDS) as { properties: JsonSchema; required: string[] };
  return shareFields({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Millrace DAG',
    description: 'A DAG as `millrace deploy` reads it from YAML or JSON.',
    ...dag,
    properties: {
      ...dag.properties,
      files: {
        description:
          'Files that tasks read, relative to this one (`*` allowed) or inside a package. Only in DAG files.',
        type: 'array',
        items: { type: 'string' },
      },
      defaults,
      groups: { type: 'array', maxItems: MAX_GROUPS, items: { $ref: '#/$defs/group' } },
      tasks: { type: 'array', minItems: 1, maxItems: MAX_TASKS, items: { $ref: '#/$defs/task' } },
    },
    required: [...dag.required, 'tasks'],
    $defs: {
      task: { oneOf: KIND_NAMES.map((kind) => ({ $ref: `#/$defs/task_${kind}` })) },
      group: groupSchema(),
      ...MAP_SCHEMAS,
      ...kindSchemas(),
    },
  });
}

/** Smaller ones are shorter than a reference to them. */
const LEAST_TO_SHARE = 60;

/** Every kind of task has most fields: a field that says the same in several places is written once, under `$defs`. */
function shareFields(document: JsonSchema & { $defs: JsonSchema }): JsonSchema {
  const seen = new Map<string, number>();
  const keyOf = (name: string, field: unknown) => `${name} ${JSON.stringify(field)}`;
  const visit = (node: unknown, change: (name: string, field: unknown) => unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties } = node as { properties?: { [name: string]: unknown } };
    for (const [name, field] of Object.entries(properties ?? {}))
      if (properties) properties[name] = change(name, field);
    for (const inner of Object.values(node)) visit(inner, change);
  };
  const copy = structuredClone(document);
  visit(copy, (name, field) => {
    seen.set(keyOf(name, field), (seen.get(keyOf(name, field)) ?? 0) + 1);
    return field;
  });
  const shared = new Map<string, { ref: string; field: unknown }>();
  const nameOf = (name: string): string => {
    const taken = [...shared.values()].filter(({ ref }) => new RegExp(`^field_${name}(_\\d+)?$`).test(ref)).length;
    return taken === 0 ? `field_${name}` : `field_${name}_${taken + 1}`;
  };
  visit(copy, (name, field) => {
    const key = keyOf(name, field);
    if ((seen.get(key) ?? 0) < 2 || JSON.stringify(field).length < LEAST_TO_SHARE) return field;
    const known = shared.get(key) ?? { ref: nameOf(name), field };
    shared.set(key, known);
    return { $ref: `#/$defs/${known.ref}` };
  });
  for (const { ref, field } of shared.values()) copy.$defs[ref] = field;
  return copy;
}

const defaults = { description: 'For the tasks that do not say otherwise', ...fieldsSchema(PRESETTABLE), required: [] };

function groupSchema(): JsonSchema {
  const { properties, ...schema } = fieldsSchema({ ...GROUP_FIELDS, ...GROUP_WIRING }) as { properties: JsonSchema };
  return { description: 'Tasks that belong together', ...schema, properties: { ...properties, defaults } };
}

function kindSchemas(): JsonSchema {
  return Object.fromEntries(
    KIND_NAMES.map((name) => {
      const kind = kindOf(name);
      const schema = fieldsSchema(kind?.fields ?? {}) as { properties: JsonSchema };
      const properties = { ...schema.properties, kind: { const: name } };
      return [`task_${name}`, { description: kind?.summary, ...schema, properties }];
    }),
  );
}

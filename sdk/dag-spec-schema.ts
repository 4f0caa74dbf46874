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
  return {
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
  };
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

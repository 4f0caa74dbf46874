/** `dag()`: runs the build function once; the calls it makes are the graph. */
import { createDagBuilder } from './dag-builder.ts';
import type { DagSpecInput } from './dag-spec.ts';
import type { Json } from './protocol.ts';
import { splitDefaults, withoutUndefined } from './written-fields.ts';
import type { ParamsOf, ParamsSchema } from './params-types.ts';
import type { Dag, DagBuilder, DagOptions } from './task-types.ts';

export function dag<Schema extends ParamsSchema>(
  dagId: string,
  options: DagOptions<Schema>,
  build: (builder: DagBuilder<ParamsOf<Schema>>) => void,
): Dag {
  const { params, files, start, end, ...rest } = options;
  const { own, defaults } = splitDefaults(rest);
  const { root, tasks, groups, handlers } = createDagBuilder(dagId);
  build(root as unknown as DagBuilder<ParamsOf<Schema>>);
  const spec = withoutUndefined({
    specVersion: 1,
    dagId,
    ...own,
    startDate: start,
    endDate: end,
    params: params && jsonSchemaOf(dagId, params),
    defaults,
    groups: groups.length > 0 ? groups : undefined,
    tasks,
  });
  return {
    millraceDag: 1,
    spec: spec as unknown as DagSpecInput,
    files: [...(files ?? [])],
    handlers,
    parseParams: params ? (value) => params['~standard'].validate(value) : null,
  };
}

function jsonSchemaOf(dagId: string, params: ParamsSchema): { [key: string]: Json } {
  const standard = params['~standard'];
  if (typeof standard?.jsonSchema?.input !== 'function')
    throw new Error(`DAG '${dagId}': params must be a zod 4 object (z.object({ … })) or another Standard JSON Schema.`);
  const { $schema: _dialect, ...schema } = standard.jsonSchema.input({ target: 'draft-2020-12' });
  return schema as { [key: string]: Json };
}

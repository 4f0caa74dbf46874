/** `dag()`: runs the build function once; the calls it makes are the graph. */
import type { DagSpecInput, TaskSpecInput } from './dag-spec.ts';
import type { Json } from './protocol.ts';
import type {
  Dag,
  DagBuilder,
  DagOptions,
  Inputs,
  ParamsOf,
  ParamsSchema,
  TaskDefaults,
  TaskHandler,
  TaskOptions,
  TaskRef,
} from './task-types.ts';
import { createWaitingTasks } from './waiting-tasks.ts';

type Fields = { [key: string]: unknown };

export function dag<Schema extends ParamsSchema>(
  dagId: string,
  options: DagOptions<Schema>,
  build: (builder: DagBuilder<ParamsOf<Schema>>) => void,
): Dag {
  const { params, files, start, end, ...rest } = options;
  const { own, defaults } = splitDefaults(rest);
  const { builder, tasks, handlers } = createBuilder(dagId);
  build(builder as DagBuilder<ParamsOf<Schema>>);
  const spec = withoutUndefined({
    specVersion: 1,
    dagId,
    ...own,
    startDate: start,
    endDate: end,
    params: params && jsonSchemaOf(dagId, params),
    defaults,
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

/** What a DAG may say for its tasks, beside what it says of itself. */
const DEFAULTS: ReadonlySet<string> = new Set<keyof TaskDefaults>([
  ...(['retries', 'retryDelay', 'retryBackoff', 'maxRetryDelay', 'retryRules', 'infraRetries'] as const),
  ...(['executionTimeout', 'queue', 'memoryLimit'] as const),
  ...(['priority', 'weightRule', 'pool', 'poolSlots'] as const),
  ...(['maxActiveTis', 'maxActiveTisPerRun', 'concurrencyKey', 'rateLimit'] as const),
]);

function splitDefaults(options: object): { own: Fields; defaults: Fields } {
  const entries = Object.entries(withoutUndefined(options as Fields));
  return {
    own: Object.fromEntries(entries.filter(([name]) => !DEFAULTS.has(name))),
    defaults: Object.fromEntries(entries.filter(([name]) => DEFAULTS.has(name))),
  };
}

function createBuilder(dagId: string) {
  const tasks: TaskSpecInput[] = [];
  const handlers: { [taskId: string]: TaskHandler } = Object.create(null);
  const seen = new Set<string>();

  const add = (taskId: string, kind: string, inputs: Inputs, options: TaskOptions, fields: Fields): TaskRef<never> => {
    const where = `task '${taskId}' of DAG '${dagId}'`;
    if (seen.has(taskId)) throw new Error(`${where}: this id is already taken. Give each task its own id.`);
    seen.add(taskId);
    const { after, ...rest } = options;
    const entry = {
      taskId,
      kind,
      ...fields,
      ...rest,
      upstream: upstreamOf(where, after),
      inputs: inputsOf(where, inputs),
    };
    tasks.push(withoutUndefined(entry) as unknown as TaskSpecInput);
    return createRef(taskId, 'return_value');
  };

  const task = (taskId: string, ...rest: unknown[]) => {
    const run = rest.pop();
    if (typeof run !== 'function')
      throw new Error(`task '${taskId}' of DAG '${dagId}': the last argument must be the function to run.`);
    const [inputs = {}, options = {}] = rest as [Inputs?, TaskOptions?];
    const ref = add(taskId, 'typescript', inputs, options, {});
    handlers[taskId] = run as TaskHandler;
    return ref;
  };
  const withInputs = (kind: string) => (taskId: string, options: TaskOptions & { inputs?: Inputs }) => {
    const { inputs, ...rest } = options;
    return add(taskId, kind, inputs ?? {}, rest, {});
  };
  const empty = (taskId: string, options: TaskOptions = {}) => add(taskId, 'empty', {}, options, {});
  const kinds = {
    bash: withInputs('bash'),
    python: withInputs('python'),
    http: withInputs('http'),
    sql: withInputs('sql'),
  };
  const waiting = createWaitingTasks(add, handlers);
  return { builder: { task, ...kinds, empty, ...waiting }, tasks, handlers };
}

function createRef(taskId: string, key: string): TaskRef<never> {
  return { taskId, key, xcom: (other) => createRef(taskId, other) };
}

const isRef = (value: unknown): value is TaskRef =>
  typeof value === 'object' && value !== null && 'taskId' in value && 'key' in value;

function upstreamOf(where: string, after: TaskOptions['after']): string[] {
  if (after === undefined) return [];
  return [after].flat().map((ref, index) => {
    if (isRef(ref)) return ref.taskId;
    throw new Error(`${where}: after[${index}] is ${describe(ref)}. Pass what task(), bash() or empty() returned.`);
  });
}

function inputsOf(where: string, inputs: Inputs): { [name: string]: { task: string; key: string } } {
  const read: { [name: string]: { task: string; key: string } } = {};
  for (const [name, ref] of Object.entries(inputs)) {
    if (!isRef(ref))
      throw new Error(
        `${where}: the input '${name}' is ${describe(ref)}. Pass what task(), bash() or empty() returned.`,
      );
    read[name] = { task: ref.taskId, key: ref.key };
  }
  return read;
}

const describe = (value: unknown) => (value === undefined || value === null ? String(value) : `a ${typeof value}`);

function jsonSchemaOf(dagId: string, params: ParamsSchema): { [key: string]: Json } {
  const standard = params['~standard'];
  if (typeof standard?.jsonSchema?.input !== 'function')
    throw new Error(`DAG '${dagId}': params must be a zod 4 object (z.object({ … })) or another Standard JSON Schema.`);
  const { $schema: _dialect, ...schema } = standard.jsonSchema.input({ target: 'draft-2020-12' });
  return schema as { [key: string]: Json };
}

function withoutUndefined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

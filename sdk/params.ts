/** Params of a DAG: a JSON Schema (2020-12) whose defaults are overlaid with what a trigger gives. */
import { createRequire } from 'node:module';
import type { Ajv2020, ErrorObject, Options, ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from './protocol.ts';

export interface ParamsIssue {
  /** `.region`, or '' for the whole. */
  path: string;
  message: string;
}
type JsonObject = { [key: string]: Json };

const MAX_SCHEMA_LENGTH = 65_536;

function createAjv(more: Options = {}): Ajv2020 {
  // 40 ms to load, which a DAG without params need not wait for.
  const require = createRequire(import.meta.url);
  const { Ajv2020 } = require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
  const formats = require('ajv-formats') as typeof import('ajv-formats');
  // Not strict: forms put their own words beside the schema's ('section', 'examples').
  const options: Options = { allErrors: true, useDefaults: true, strict: false, allowUnionTypes: true, logger: false };
  const ajv = new Ajv2020({ ...options, ...more });
  formats.default(ajv);
  return ajv;
}

let checker: Ajv2020 | undefined;
/** Throws what makes it no schema. The first one costs 60 ms: what it is compared with is a large schema itself. */
function checkSchema(schema: JsonObject): void {
  checker ??= createAjv();
  void checker.validateSchema(schema, true);
}

/** Does now what the first schema would otherwise wait for. */
export const prepareParams = (): void => checkSchema({ type: 'object' });

const MAX_CACHED = 500;
const compiled = new Map<string, ValidateFunction>();

function compile(schema: JsonObject): ValidateFunction {
  const key = JSON.stringify(schema);
  const known = compiled.get(key);
  if (known) return known;
  checkSchema(schema);
  // One of its own, as two schemas may have the same $id
  const validate = createAjv({ validateSchema: false }).compile(schema);
  if (compiled.size >= MAX_CACHED) compiled.clear();
  compiled.set(key, validate);
  return validate;
}

/** What is wrong with a params schema. A DAG that runs by itself must be able to run on the defaults alone. */
export function paramsSchemaIssues(schema: JsonObject, runsByItself: boolean): ParamsIssue[] {
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH)
    return [{ path: '', message: `The schema is longer than ${MAX_SCHEMA_LENGTH} characters.` }];
  if (schema['type'] !== 'object')
    return [{ path: '', message: `params is a JSON Schema of an object: { type: object, properties: { … } }.` }];
  try {
    compile(schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ path: '', message: `Not a valid JSON Schema (2020-12): ${reason}.` }];
  }
  const resolved = resolveParams(schema, {});
  if (resolved.ok) return [];
  return resolved.issues
    .filter((issue) => runsByItself || !issue.missing)
    .map(({ path, message, missing }) => ({
      path,
      message: missing
        ? `${message} A scheduled DAG needs a default for it.`
        : `The default does not fit the schema: ${message}`,
    }));
}

export type ResolvedParams =
  { ok: true; params: JsonObject } | { ok: false; issues: (ParamsIssue & { missing: boolean })[] };

/** The params of a run: defaults overlaid with `conf`, checked. Keys of `conf` that the schema does not know are kept if it allows them. */
export function resolveParams(schema: JsonObject | null, conf: JsonObject): ResolvedParams {
  if (!schema) return { ok: true, params: conf };
  const params = structuredClone(conf);
  const validate = compile(schema);
  if (validate(params)) return { ok: true, params };
  return { ok: false, issues: (validate.errors ?? []).map(issueOf) };
}

function issueOf(error: ErrorObject): ParamsIssue & { missing: boolean } {
  const path = error.instancePath.replace(/\/(\d+)(?=\/|$)/g, '[$1]').replaceAll('/', '.');
  if (error.keyword === 'required') {
    const name = String(error.params['missingProperty']);
    return { path: `${path}.${name}`, message: `'${name}' is missing.`, missing: true };
  }
  const allowed = error.keyword === 'enum' ? `: ${(error.params['allowedValues'] as Json[]).join(', ')}` : '';
  const unknown = error.keyword === 'additionalProperties' ? `: '${String(error.params['additionalProperty'])}'` : '';
  return { path, message: `${error.message ?? 'does not fit'}${allowed}${unknown}.`, missing: false };
}

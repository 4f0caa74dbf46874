/** Which assets a DAG waits for, as people write it and as a small tree. */
import type { AssetExpression } from './dag-spec.ts';
import { isPlainObject, show, type Field, type JsonSchema } from './spec-fields.ts';

/** As people write it: one by name, all of a list, `{ all: […] }` or `{ any: […] }`, nested as you like. */
export type Assets = string | readonly Assets[] | { all: readonly Assets[] } | { any: readonly Assets[] };

const MAX_DEPTH = 8;
const MAX_ASSETS = 200;
const NAME = /^\S(?:[^\p{Cc}]{0,298}\S)?$/u;
const FORMS = `Write a name, a list (all of them), { all: […] } or { any: […] }.`;

export const isAssetName = (name: string): boolean => NAME.test(name);

export const assetName: Field<string> = {
  schema: { type: 'string', minLength: 1, maxLength: 300 },
  read(value, path, report) {
    if (typeof value === 'string' && NAME.test(value)) return value;
    report(path(), `${show(value)} is not the name of an asset: 1 to 300 characters, no space around.`);
    return '';
  },
};

/** The tree, without needless levels, or a sentence on what is wrong with it. */
export function readAssets(value: unknown): AssetExpression | string {
  const problems: string[] = [];
  const read = readPart(value, 'assets', 0, (problem) => problems.push(problem));
  if (problems[0] !== undefined) return problems[0];
  const count = assetsOf(read).length;
  return count > MAX_ASSETS ? `assets: ${count} assets; at most ${MAX_ASSETS} are allowed.` : read;
}

/** The names in it, each once, in order of appearance. */
export function assetsOf(expression: AssetExpression): string[] {
  if ('asset' in expression) return [expression.asset];
  return [...new Set(('all' in expression ? expression.all : expression.any).flatMap(assetsOf))];
}

/** Has it news, of these assets? */
export function isMet(expression: AssetExpression, updated: ReadonlySet<string>): boolean {
  if ('asset' in expression) return updated.has(expression.asset);
  if ('all' in expression) return expression.all.every((part) => isMet(part, updated));
  return expression.any.some((part) => isMet(part, updated));
}

function readPart(value: unknown, path: string, depth: number, problem: (text: string) => void): AssetExpression {
  if (typeof value === 'string') {
    if (!NAME.test(value))
      problem(`${path}: ${show(value)} is not the name of an asset: 1 to 300 characters, no space around.`);
    return { asset: value };
  }
  const [sign, parts] = formOf(value);
  if (sign === 'asset' && typeof parts === 'string') return readPart(parts, path, depth, problem);
  if (sign === null || sign === 'asset' || !Array.isArray(parts) || parts.length === 0) {
    problem(`${path}: ${Array.isArray(parts) ? 'an empty list' : show(value)} does not say which assets. ${FORMS}`);
    return { asset: '' };
  }
  if (depth >= MAX_DEPTH || parts.length > MAX_ASSETS) {
    problem(`${path}: nested deeper than ${MAX_DEPTH} levels, or more than ${MAX_ASSETS} parts.`);
    return { asset: '' };
  }
  const read = parts.map((part: unknown, i) => readPart(part, `${path}.${sign}[${i}]`, depth + 1, problem));
  const unique = [...new Map(read.map((part) => [JSON.stringify(part), part])).values()];
  const [only] = unique;
  if (unique.length === 1 && only) return only;
  return sign === 'all' ? { all: unique } : { any: unique };
}

function formOf(value: unknown): ['all' | 'any' | 'asset' | null, unknown] {
  if (Array.isArray(value)) return ['all', value];
  if (!isPlainObject(value)) return [null, null];
  const [key, ...others] = Object.keys(value);
  if (others.length > 0 || (key !== 'all' && key !== 'any' && key !== 'asset')) return [null, null];
  return [key, value[key]];
}

export const assetsSchema: JsonSchema = {
  description: 'Assets by name: one, all of a list, { all: […] } or { any: […] }, nested',
  anyOf: [
    { type: 'string', minLength: 1, maxLength: 300 },
    { type: 'array', minItems: 1 },
    {
      type: 'object',
      properties: { all: { type: 'array', minItems: 1 } },
      required: ['all'],
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: { any: { type: 'array', minItems: 1 } },
      required: ['any'],
      additionalProperties: false,
    },
    { type: 'object', properties: { asset: { type: 'string' } }, required: ['asset'], additionalProperties: false },
  ],
};

/** Reads what a task or a group says about its map, in the canonical form or a friendly one. */
import { MAX_MAP_LIMIT, type ListSource, type MapSource, type MapSpec } from './map-spec.ts';
import { id, integer, isPlainObject, json, NAME_PATTERN, show, text, type Field, type Report } from './spec-fields.ts';

const limit = integer(1, MAX_MAP_LIMIT).or(null);
const name = text(2000).or(null);
/** A spec from outside must not be as deep as the stack. */
const MAX_DEPTH = 8;
const FORMS = `Give a list, the id of a task, { task, key }, { zip: [ … ] } or { concat: [ … ] }.`;

const nullMap: MapSpec = { over: { kind: 'rows', from: { kind: 'literal', items: [] } }, limit: null, name: null };

/** `{ over: { file: 'list_files' } }`, or `{ rows: 'list_orders' }` whose items are objects of arguments. */
export const map: Field<MapSpec | null> = {
  schema: { anyOf: [{ $ref: '#/$defs/map' }, { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    if (!isPlainObject(value)) {
      report(path(), `${show(value)} is not a map. Give { over: { argument: list } }.`);
      return nullMap;
    }
    const { over, rows, limit: limited, name: named, ...unknown } = value;
    for (const key of Object.keys(unknown))
      report(`${path()}.${key}`, `Unknown key '${key}'. A map has 'over' or 'rows', 'limit' and 'name'.`);
    if ((over === undefined) === (rows === undefined))
      report(path(), `A map has either 'over' (a list for each argument) or 'rows' (a list of objects of arguments).`);
    return {
      over:
        rows === undefined
          ? readOver(over ?? {}, `${path()}.over`, report)
          : { kind: 'rows', from: readList(rows, `${path()}.rows`, report, 0) },
      limit: limit.read(limited ?? null, () => `${path()}.limit`, report),
      name: name.read(named ?? null, () => `${path()}.name`, report),
    };
  },
};

function readOver(value: unknown, path: string, report: Report): MapSource {
  if (isPlainObject(value) && value['kind'] === 'rows' && 'from' in value)
    return { kind: 'rows', from: readList(value['from'], `${path}.from`, report, 0) };
  const canonical = isPlainObject(value) && value['kind'] === 'product' && isPlainObject(value['axes']);
  const axes = canonical ? value['axes'] : value;
  const at = canonical ? `${path}.axes` : path;
  if (!isPlainObject(axes)) {
    report(at, `${show(axes)} is not an object of lists. Give { argument: list }.`);
    return nullMap.over;
  }
  const entries = Object.entries(axes);
  if (entries.length === 0) report(at, 'A map needs at least one argument.');
  for (const [argument] of entries)
    if (!NAME_PATTERN.test(argument))
      report(`${at}.${argument}`, `'${argument}' is not a name. Use letters, digits and _, no digit first.`);
  const read = entries.map(([argument, list]) => [argument, readList(list, `${at}.${argument}`, report, 0)] as const);
  return { kind: 'product', axes: Object.fromEntries(read) };
}

function readList(value: unknown, path: string, report: Report, depth: number): ListSource {
  if (Array.isArray(value)) return literal(value, path, report);
  if (typeof value === 'string') return result(value, 'return_value', path, report);
  if (isPlainObject(value) && depth < MAX_DEPTH) {
    const { kind, ...rest } = value;
    const keys = Object.keys(rest).sort().join();
    if (kind === 'literal' && Array.isArray(rest['items'])) return literal(rest['items'], `${path}.items`, report);
    if ((kind === undefined || kind === 'result') && (keys === 'task' || keys === 'key,task'))
      return result(rest['task'], rest['key'] ?? 'return_value', path, report);
    for (const joined of ['zip', 'concat'] as const) {
      const at = kind === joined ? 'sources' : kind === undefined ? joined : null;
      const sources = at === null ? undefined : rest[at];
      if (at === null || !Array.isArray(sources) || sources.length === 0 || sources.length > 1000) continue;
      const extra = Object.keys(rest).filter((key) => key !== at && !(joined === 'zip' && key === 'fill'));
      if (extra.length > 0) continue;
      const read = sources.map((source: unknown, index) =>
        readList(source, `${path}.${at}[${index}]`, report, depth + 1),
      );
      if (joined === 'concat') return { kind: joined, sources: read };
      const { fill } = rest;
      if (fill === undefined) return { kind: joined, sources: read };
      return { kind: joined, sources: read, fill: json.read(fill, () => `${path}.fill`, report) };
    }
  }
  report(
    path,
    depth < MAX_DEPTH
      ? `${show(value)} is not a list to map over. ${FORMS}`
      : `Nested deeper than ${MAX_DEPTH} levels.`,
  );
  return { kind: 'literal', items: [] };
}

const literal = (items: unknown[], path: string, report: Report): ListSource => ({
  kind: 'literal',
  items: items.map((item, index) => json.read(item, () => `${path}[${index}]`, report)),
});

function result(task: unknown, key: unknown, path: string, report: Report): ListSource {
  const named = id.read(task, () => path, report) ?? '';
  if (typeof key !== 'string' || key.length === 0 || key.length > 200)
    report(`${path}.key`, `${show(key)} is not an XCom key.`);
  return { kind: 'result', task: named, key: String(key) };
}

const list = { $ref: '#/$defs/listSource' };
const lists = { type: 'array', items: list, minItems: 1, maxItems: 1000 };
const key = { type: 'string', maxLength: 200 };
const object = (properties: { [name: string]: object }, required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const axes = { type: 'object', propertyNames: { pattern: NAME_PATTERN.source }, additionalProperties: list };

/** For the published JSON Schema. */
export const MAP_SCHEMAS = {
  map: {
    description: 'One instance per item. Each argument is an input of that name.',
    ...object(
      {
        over: {
          anyOf: [
            object({ kind: { const: 'product' }, axes }, ['kind', 'axes']),
            object({ kind: { const: 'rows' }, from: list }, ['kind', 'from']),
            axes,
          ],
        },
        rows: list,
        limit: limit.schema,
        name: name.schema,
      },
      [],
    ),
    oneOf: [{ required: ['over'] }, { required: ['rows'] }],
  },
  listSource: {
    description: 'A list, the id of a task whose result is one, or lists joined',
    anyOf: [
      { type: 'array' },
      id.schema,
      object({ kind: { const: 'literal' }, items: { type: 'array' } }, ['kind', 'items']),
      object({ kind: { const: 'result' }, task: id.schema, key }, ['task']),
      object({ zip: lists, fill: {} }, ['zip']),
      object({ concat: lists }, ['concat']),
      object({ kind: { const: 'zip' }, sources: lists, fill: {} }, ['kind', 'sources']),
      object({ kind: { const: 'concat' }, sources: lists }, ['kind', 'sources']),
    ],
  },
};

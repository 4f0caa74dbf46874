/** JSON as Python writes it: `, ` and `: ` between, other characters than ASCII escaped. */
import type { Json } from '#sdk/protocol.ts';
import {
  Float,
  isDict,
  JinjaError,
  repr,
  toJson,
  typeName,
  PyObject,
  Callable,
  Undefined,
  type Value,
} from './values.ts';

export interface JsonStyle {
  indent: number | null;
  sortKeys: boolean;
  ascii: boolean;
}

/** json.dumps. */
export function dumps(value: Value, style: JsonStyle, depth = 0): string {
  if (depth > 100) throw new JinjaError('nested too deeply for JSON');
  if (value instanceof Undefined) return value.fail();
  if (typeof value === 'string') return text(value, style.ascii);
  if (value instanceof Float || typeof value === 'number') {
    const written = repr(value);
    return { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }[written] ?? written;
  }
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (value instanceof PyObject || value instanceof Callable)
    throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
  const inner = (item: Value) => dumps(item, style, depth + 1);
  if (Array.isArray(value)) return wrap('[', value.map(inner), ']', style, depth);
  const plain: [string, Value][] = isDict(value)
    ? [...value].map(([key, item]) => [Object.keys(toJson(new Map([[key, null]])) as object)[0] ?? '', item])
    : [];
  if (style.sortKeys) plain.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return wrap(
    '{',
    plain.map(([key, item]) => `${text(key, style.ascii)}: ${inner(item)}`),
    '}',
    style,
    depth,
  );
}

function wrap(open: string, items: string[], close: string, { indent }: JsonStyle, depth: number): string {
  if (items.length === 0) return open + close;
  if (indent === null) return open + items.join(', ') + close;
  const line = `\n${' '.repeat(indent * (depth + 1))}`;
  return `${open}${line}${items.join(`,${line}`)}\n${' '.repeat(indent * depth)}${close}`;
}

function text(value: string, ascii: boolean): string {
  const quoted = JSON.stringify(value).replaceAll('\u007f', ascii ? '\u007f' : '\u007f');
  if (!ascii) return quoted;
  return quoted.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function loads(source: string): Json {
  try {
    return JSON.parse(source) as Json;
  } catch (cause) {
    throw new JinjaError(`it is not JSON: ${(cause as Error).message}`, { cause });
  }
}

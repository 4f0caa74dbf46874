/** JSON as Python writes it: `, ` and `: ` between, other characters than ASCII escaped. */
import type { Json } from '#sdk/protocol.ts';
import { made, read, type Budget } from './budget.ts';
import { Float, isDict, JinjaError, repr, str, typeName, PyObject, Callable, Undefined, type Value } from './values.ts';

export interface JsonStyle {
  indent: number | null;
  sortKeys: boolean;
  ascii: boolean;
}

/** json.dumps. */
export function dumps(value: Value, style: JsonStyle, budget: Budget, depth = 0): string {
  budget.step();
  if (depth > 100) throw new JinjaError('nested too deeply for JSON');
  if (value instanceof Undefined) return value.fail();
  if (typeof value === 'string') return text(value, style.ascii, budget);
  if (value instanceof Float || typeof value === 'number') {
    const written = repr(value, budget);
    return { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }[written] ?? written;
  }
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (value instanceof PyObject || value instanceof Callable)
    throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
  const inner = (item: Value) => dumps(item, style, budget, depth + 1);
  if (Array.isArray(value)) return made(budget, wrap('[', Array.from(value, inner), ']', style, depth));
  const plain: [string, Value][] = isDict(value)
    ? Array.from(value, ([key, item]) => [keyText(key, budget), item])
    : [];
  if (style.sortKeys) plain.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const items = plain.map(([key, item]) => `${text(key, style.ascii, budget)}: ${inner(item)}`);
  return made(budget, wrap('{', items, '}', style, depth));
}

/** It makes texts of keys. */
const keyText = (key: Value, budget: Budget): string =>
  typeof key === 'boolean' || key === null ? JSON.stringify(key) : str(key, budget);

function wrap(open: string, items: string[], close: string, { indent }: JsonStyle, depth: number): string {
  if (items.length === 0) return open + close;
  if (indent === null) return open + items.join(', ') + close;
  const line = `\n${' '.repeat(indent * (depth + 1))}`;
  return `${open}${line}${items.join(`,${line}`)}\n${' '.repeat(indent * depth)}${close}`;
}

function text(value: string, ascii: boolean, budget: Budget): string {
  read(budget, value.length);
  const quoted = made(budget, JSON.stringify(value));
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

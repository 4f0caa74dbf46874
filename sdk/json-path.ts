/** Paths into JSON: `$.items[0].id`, `$['odd key']`, `$.items[*].id`, `$.items[-1]`. */
import type { Json } from './protocol.ts';

interface Step {
  /** A key, an index (from the end when negative), or all. */
  at: string | number;
  all: boolean;
}
export type JsonPath = readonly Step[];

const STEP = /\.([A-Za-z_$][\w$-]*)|\[(-?\d{1,9})\]|\[(\*)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** A text instead of a path says what is wrong. */
export function parseJsonPath(text: string): JsonPath | string {
  if (!text.startsWith('$')) return "It must start with '$', which is the whole answer.";
  const steps: Step[] = [];
  for (STEP.lastIndex = 1; STEP.lastIndex < text.length;) {
    const from = STEP.lastIndex;
    const found = STEP.exec(text);
    if (!found) return `'${text.slice(from, from + 20)}' cannot be read. Write .name, [0], [*] or ['odd name'].`;
    const [, name, index, all, single, double] = found;
    if (index !== undefined) steps.push({ at: Number(index), all: false });
    else if (all !== undefined) steps.push({ at: '*', all: true });
    else steps.push({ at: name ?? (single ?? double ?? '').replaceAll(/\\(.)/g, '$1'), all: false });
  }
  return steps;
}

/** What lies there; undefined where there is nothing. With `[*]` a list of what lies there in each entry, without the gaps. */
export function valueAt(value: Json, path: JsonPath): Json | undefined {
  const [step, ...rest] = path;
  if (!step) return value;
  if (step.all) {
    if (typeof value !== 'object' || value === null) return undefined;
    const entries = Array.isArray(value) ? value : Object.values(value);
    return entries.map((entry) => valueAt(entry, rest)).filter((found) => found !== undefined);
  }
  const inner = childOf(value, step.at);
  return inner === undefined ? undefined : valueAt(inner, rest);
}

function childOf(value: Json, at: string | number): Json | undefined {
  if (Array.isArray(value)) return typeof at === 'number' ? value.at(at) : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, at) ? value[at] : undefined;
}

/** `items.0.id`: names and indexes alone. */
export const dottedPath = (text: string): JsonPath =>
  text.split('.').map((at) => ({ at: /^(0|[1-9]\d{0,8})$/.test(at) ? Number(at) : at, all: false }));

/** Reads a manifest field by field, and tells at the end what nobody has read: nothing is lost in silence. */

export type Plain = { [key: string]: unknown };

export interface Finding {
  /** `spec.jobTemplate.spec.parallelism`. */
  path: string;
  message: string;
}

export interface Fields {
  readonly path: string;
  /** The value, which is thereby taken care of. */
  take(name: string): unknown;
  /** The value, which somebody else takes care of. */
  peek(name: string): unknown;
  text(name: string): string | null;
  number(name: string): number | null;
  /** Fields of an object below; empty when there is none. */
  object(name: string): Fields;
  list(name: string): Fields[];
  /** What is not taken yet. */
  names(): string[];
  /** Not worth a word: it says nothing, or nothing that matters outside of Kubernetes. */
  ignore(...names: string[]): void;
  /** Not worth a word when it has the value that Kubernetes writes by itself. */
  ignoreDefaults(defaults: Plain): void;
  warn(message: string, name?: string): void;
  /** Warns of all that was not taken. */
  finish(): void;
}

export const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function createFields(value: Plain, path: string, findings: Finding[]): Fields {
  const left = new Map(Object.entries(value).filter(([, entry]) => entry !== undefined && entry !== null));
  const children: Fields[] = [];
  const at = (name: string) => (path ? `${path}.${name}` : name);

  const child = (entry: unknown, where: string): Fields => {
    if (!isPlain(entry)) findings.push({ path: where, message: 'It is not an object, and is left out.' });
    const fields = createFields(isPlain(entry) ? entry : {}, where, findings);
    children.push(fields);
    return fields;
  };
  const take = (name: string): unknown => {
    const found = left.get(name);
    left.delete(name);
    return found;
  };
  const typed = <T>(name: string, type: 'string' | 'number'): T | null => {
    const found = take(name);
    if (found === undefined) return null;
    if (typeof found === type) return found as T;
    findings.push({
      path: at(name),
      message: `It is not a ${type === 'string' ? 'text' : 'number'}, and is left out.`,
    });
    return null;
  };

  return {
    path,
    take,
    peek: (name) => left.get(name),
    text: (name) => typed<string>(name, 'string'),
    number: (name) => typed<number>(name, 'number'),
    object: (name) => child(take(name) ?? {}, at(name)),
    list(name) {
      const found = take(name) ?? [];
      if (Array.isArray(found)) return found.map((entry, index) => child(entry, `${at(name)}[${index}]`));
      findings.push({ path: at(name), message: 'It is not a list, and is left out.' });
      return [];
    },
    names: () => [...left.keys()],
    ignore: (...names) => names.forEach((name) => left.delete(name)),
    ignoreDefaults(defaults) {
      for (const [name, usual] of Object.entries(defaults))
        if (JSON.stringify(left.get(name)) === JSON.stringify(usual)) left.delete(name);
    },
    warn: (message, name) => void findings.push({ path: name === undefined ? path : at(name), message }),
    finish() {
      for (const name of left.keys())
        findings.push({ path: at(name), message: 'It has no counterpart and is left out.' });
      left.clear();
      for (const fields of children) fields.finish();
    },
  };
}

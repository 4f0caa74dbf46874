/** What kinds of task share that run Python. */
import { isPlainObject, json, record, show, text, type Fields, type Plain, type Report } from './spec-fields.ts';

export interface KindOf {
  summary: string;
  fields: Fields;
  /** What no single field can tell. */
  check?(task: Plain, path: string, report: Report): void;
  /** Why such a task cannot be mapped. */
  unmappable?: string;
  /** Made by validation, never written by people. */
  internal?: boolean;
}

export const ANY_KEY = /^[^\0]{1,200}$/;
const PYTHON_CALLABLE = /^(?!\/)(?!.*\.\.)[^:\\\0]+\.py:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

export const PYTHON_FIELDS: Fields = {
  callable: text(1000).or(null),
  source: text(262_144).or(null),
  args: record(ANY_KEY, json),
};

/** `what`: 'A python task'. */
export function checkPython(what: string, task: Plain, path: string, report: Report): void {
  if ((task['callable'] === null) === (task['source'] === null))
    report(path, `${what} has either 'callable' ('file.py:function') or 'source'.`);
  else if (typeof task['callable'] === 'string' && !PYTHON_CALLABLE.test(task['callable']))
    report(`${path}.callable`, `${show(task['callable'])} is not 'file.py:function', relative to the DAG file.`);
}

/** Names that a task's own fields give to its code, so no argument of a map may have them. */
export const ownArguments = (task: object): string[] =>
  (['args', 'env'] as const).flatMap((field) => {
    const given = (task as Plain)[field];
    return isPlainObject(given) ? Object.keys(given) : [];
  });

/** `defaults` of a DAG or a group: fields for the tasks that do not say otherwise. */
import { didYouMean } from './near-match.ts';
import { createFieldsReader, isPlainObject, show, type Plain, type Report } from './spec-fields.ts';
import { PRESETTABLE } from './task-kinds.ts';

/** `outer`: what holds around it; a field that can be both is merged with it. */
export function readPresets(defaults: unknown, path: string, report: Report, outer: Plain = {}): Plain {
  if (defaults === undefined) return {};
  if (!isPlainObject(defaults)) {
    report(path, `${show(defaults)} is not an object of task fields.`);
    return {};
  }
  const given = Object.keys(defaults).filter((name) => defaults[name] !== undefined);
  for (const name of given.filter((each) => !Object.hasOwn(PRESETTABLE, each)))
    report(
      `${path}.${name}`,
      `Unknown key '${name}'.${didYouMean(name, Object.keys(PRESETTABLE))} Defaults may give ${Object.keys(PRESETTABLE).join(', ')}.`,
    );
  const known = given.filter((name) => Object.hasOwn(PRESETTABLE, name));
  const fields = Object.fromEntries(known.map((name) => [name, PRESETTABLE[name]!]));
  return createFieldsReader(fields, outer)(
    Object.fromEntries(known.map((name) => [name, defaults[name]])),
    path,
    report,
  );
}

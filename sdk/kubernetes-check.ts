/** Objects of Kubernetes, field by field: what is unknown or of another type is wrong, as in `kubectl --validate=strict`. Pure. */
import { KUBERNETES_KINDS, KUBERNETES_TYPES } from './kubernetes-fields.generated.ts';
import { didYouMean } from './near-match.ts';
import { isPlainObject, show, type Report } from './spec-fields.ts';

export interface KubernetesCheck {
  /** Fields that must be there may be absent: it is merged with others later. */
  partial?: boolean;
  /** A text with a template in it may stand for a number or a boolean. */
  templates?: boolean;
}

/** A text that says something only when it is rendered. */
export const hasTemplate = (text: string): boolean => text.includes('{{') || text.includes('{%');

/** The type of an object as a whole; null: none whose fields are known, such as a custom resource. */
export const kubernetesType = (apiVersion: string, kind: string): string | null =>
  Object.hasOwn(KUBERNETES_KINDS, `${apiVersion} ${kind}`) ? (KUBERNETES_KINDS[`${apiVersion} ${kind}`] ?? null) : null;

/** What a type is called by its readers. */
const EXPECTED: { [type: string]: string } = {
  string: 'a text',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  quantity: "a quantity such as '500m' or '1Gi'",
  IntOrString: 'a whole number or a text',
};

/** Reports each wrong field of `value` with its path. `type` is `PodSpec`, `Volume[]`, `string{}`. */
export function checkKubernetes(
  type: string,
  value: unknown,
  path: string,
  report: Report,
  how: KubernetesCheck = {},
): void {
  if (type.endsWith('[]')) return checkList(type.slice(0, -2), value, path, report, how);
  if (type.endsWith('{}')) return checkMap(type.slice(0, -2), value, path, report, how);
  const fields = Object.hasOwn(KUBERNETES_TYPES, type) ? KUBERNETES_TYPES[type] : undefined;
  if (!fields) return checkSimple(type, value, path, report, how);
  if (!isPlainObject(value)) return report(path, `${show(value)} is not an object with the fields of a ${type}.`);
  for (const [name, inner] of Object.entries(value)) {
    const at = `${path}.${name}`;
    const code = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (code === undefined)
      report(at, `Kubernetes knows no '${name}' in a ${type}.${didYouMean(name, Object.keys(fields))}`);
    // As Kubernetes does, null is absent
    else if (inner !== null && inner !== undefined) checkKubernetes(code.replace('!', ''), inner, at, report, how);
  }
  if (how.partial) return;
  for (const [name, code] of Object.entries(fields))
    if (code.endsWith('!') && (value[name] ?? null) === null)
      report(`${path}.${name}`, `'${name}' is missing in a ${type}.`);
}

function checkList(type: string, value: unknown, path: string, report: Report, how: KubernetesCheck): void {
  if (!Array.isArray(value)) return report(path, `${show(value)} is not a list.`);
  value.forEach((item: unknown, index) => checkKubernetes(type, item, `${path}[${index}]`, report, how));
}

function checkMap(type: string, value: unknown, path: string, report: Report, how: KubernetesCheck): void {
  if (!isPlainObject(value)) return report(path, `${show(value)} is not an object.`);
  for (const [name, item] of Object.entries(value)) checkKubernetes(type, item, `${path}.${name}`, report, how);
}

function checkSimple(type: string, value: unknown, path: string, report: Report, how: KubernetesCheck): void {
  if (type === 'any') return;
  const isRight =
    ((type === 'string' || type === 'quantity' || type === 'IntOrString') && typeof value === 'string') ||
    (type === 'boolean' && typeof value === 'boolean') ||
    ((type === 'int' || type === 'IntOrString') && Number.isSafeInteger(value)) ||
    ((type === 'number' || type === 'quantity') && Number.isFinite(value));
  if (isRight || (how.templates && typeof value === 'string' && hasTemplate(value))) return;
  report(path, `${show(value)} is not ${EXPECTED[type] ?? type}.`);
}

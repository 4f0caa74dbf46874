/**
 * The allow-list for DAGs that nobody who administers the service has deployed. It is walked over the whole of the final Pod, for
 * what only the top is looked at for comes in below. Pure.
 */
import { AUTHOR_RULES, type Rule } from './author-rules.ts';
import type { KubePod } from './kube-types.ts';
import type { Refusal } from './pod-spec.ts';

/** What `trusted`, the same Pod without the author's part, says likewise is the cluster's own business. */
export function authorRefusals(pod: KubePod, trusted: KubePod): Refusal[] {
  const refused: Refusal[] = [];
  walk(pod, AUTHOR_RULES, trusted, '', refused);
  const { serviceAccountName, automountServiceAccountToken } = pod.spec ?? {};
  const isTrusted = trusted.spec?.automountServiceAccountToken === true;
  if (automountServiceAccountToken === true && serviceAccountName === undefined && !isTrusted)
    refused.push({
      path: 'spec.automountServiceAccountToken',
      message: 'There is no token without a service account. Name one that is for tasks.',
    });
  return refused;
}

type Fields = { [field: string]: unknown };
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function walk(value: unknown, rule: Rule | undefined, trusted: unknown, path: string, refused: Refusal[]): void {
  if (value === undefined || rule === 'any' || isSame(value, trusted)) return;
  if (Array.isArray(value))
    return value.forEach((entry: unknown, index) =>
      walk(entry, rule, entryLike(entry, trusted), `${path}[${index}]`, refused),
    );
  if (rule === undefined)
    return void refused.push({ path, message: 'Authors may not set this. Somebody who administers the service may.' });
  if (typeof rule === 'function') {
    const problem = rule(value);
    if (problem !== null) refused.push({ path, message: problem });
    return;
  }
  // Where fields are expected, anything else is unknown
  if (!isFields(value)) return void refused.push({ path, message: 'Authors may not set this.' });
  for (const [field, inner] of Object.entries(value)) {
    const below = Object.hasOwn(rule, field) ? rule[field] : undefined;
    const known = isFields(trusted) && Object.hasOwn(trusted, field) ? trusted[field] : undefined;
    walk(inner, below, known, path === '' ? field : `${path}.${field}`, refused);
  }
}

/** The entry of a trusted list that one stands for: of the same name, or the same in all. */
function entryLike(entry: unknown, trusted: unknown): unknown {
  if (!Array.isArray(trusted)) return undefined;
  const name = isFields(entry) ? (entry['mountPath'] ?? entry['name']) : undefined;
  return trusted.find((known: unknown) =>
    name !== undefined && isFields(known) ? (known['mountPath'] ?? known['name']) === name : isSame(entry, known),
  );
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, (b as unknown[])[index]));
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

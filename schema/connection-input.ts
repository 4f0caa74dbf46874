/** Connections as people write them, checked. */
import { updateConnection, type ConnectionRow } from '#db/queries/connections.ts';
import {
  CONNECTION_KINDS,
  connectionIssues,
  looksSecret,
  VALUE_NAME_PATTERN,
  type ConnectionFields,
} from '#sdk/connections.ts';
import { didYouMean } from '#sdk/near-match.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import { actorOf, type Context } from './context.ts';
import { NotFoundError } from './errors.ts';
import { ValidationError, type ValidationIssue } from './validation-error.ts';

interface Written {
  connectionId: string;
  kind?: string | null | undefined;
  description?: string | null | undefined;
  host?: string | null | undefined;
  port?: number | null | undefined;
  schema?: string | null | undefined;
  login?: string | null | undefined;
  password?: string | null | undefined;
  extra?: unknown;
  secretExtra?: unknown;
}

const issue = (field: string, message: string): ValidationIssue => ({ path: ['input', field], message });

/** Throws a ValidationError with all that is wrong. */
export function checkNewConnection(written: Written): ConnectionFields & { id: string } {
  const { connectionId: id, description, host, port, schema, login, password } = written;
  const open = { description, host, port, schema, login, password };
  const { issues, given } = readGiven({ extra: {}, secretExtra: {}, ...written });
  if (!VALUE_NAME_PATTERN.test(id))
    issues.unshift(issue('connectionId', 'A name has 1 to 200 of the characters A-Z a-z 0-9 _ . -'));
  const absent = Object.fromEntries(Object.entries(open).map(([name, value]) => [name, value ?? null]));
  const fields = { ...absent, ...given, id } as ConnectionFields & { id: string };
  if (issues.length === 0) issues.push(...issuesOf(fields));
  if (issues.length > 0) throw new ValidationError(issues);
  return fields;
}

export async function changeConnection(ctx: Context, written: Written): Promise<ConnectionRow> {
  const { connectionId: id } = written;
  const { issues, given } = readGiven(written);
  if (issues.length > 0) throw new ValidationError(issues);
  const check = (merged: ConnectionFields) => {
    const found = issuesOf(merged);
    if (found.length > 0) throw new ValidationError(found);
  };
  const row = await updateConnection(ctx.db, ctx.vault, id, given, { actor: actorOf(ctx), check });
  if (!row) throw new NotFoundError(`connection "${id}"`);
  return row;
}

const issuesOf = (fields: ConnectionFields): ValidationIssue[] =>
  connectionIssues(fields).map(({ field, message }) => issue(field, message));

/** What is said of the connection; empty texts are none. */
function readGiven({ connectionId: _, kind, extra, secretExtra, ...texts }: Written) {
  const issues: ValidationIssue[] = [];
  const given: { [field: string]: unknown } = {};
  for (const [name, value] of Object.entries(texts)) if (value !== undefined) given[name] = value === '' ? null : value;
  if (kind !== undefined) given['kind'] = kind;
  if (kind !== undefined && !(CONNECTION_KINDS as readonly unknown[]).includes(kind))
    issues.push(
      issue(
        'kind',
        `'${kind}' is no kind.${didYouMean(String(kind), CONNECTION_KINDS)} Kinds: ${CONNECTION_KINDS.join(', ')}.`,
      ),
    );
  for (const [name, value] of Object.entries({ extra, secretExtra })) {
    if (value === undefined) continue;
    if (value === null || isPlainObject(value)) given[name] = value ?? {};
    else issues.push(issue(name, 'It must be an object of settings by name.'));
  }
  if (isPlainObject(extra))
    for (const name of Object.keys(extra).filter(looksSecret))
      issues.push(issue('extra', `'${name}' looks like a secret: give it in secretExtra.`));
  return { issues, given: given as Partial<ConnectionFields> };
}
